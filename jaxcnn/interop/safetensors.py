"""Pytrees of arrays as safetensors: a header of JSON, then the arrays' bytes. Nothing in it can be run."""

import json
from typing import IO, Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

Tree = TypeVar("Tree")

# safetensors' names for dtypes; its own reader for NumPy lacks those that NumPy itself lacks.
_DTYPES: dict[str, Any] = {
    "BOOL": jnp.bool_,
    "I8": jnp.int8,
    "I16": jnp.int16,
    "I32": jnp.int32,
    "I64": jnp.int64,
    "U8": jnp.uint8,
    "U16": jnp.uint16,
    "U32": jnp.uint32,
    "U64": jnp.uint64,
    "F16": jnp.float16,
    "BF16": jnp.bfloat16,
    "F32": jnp.float32,
    "F64": jnp.float64,
    "C64": jnp.complex64,
    "F8_E4M3": jnp.float8_e4m3fn,
    "F8_E5M2": jnp.float8_e5m2,
}


def by_path(tree: Any) -> dict[str, Any]:
    """Every leaf by its path, such as "params/block1/conv/kernel"."""
    leaves = jax.tree.leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="/"): leaf for path, leaf in leaves}


def dump(tree: Any, metadata: dict[str, str] | None = None) -> bytes:
    """The arrays of the tree by their paths, and words about them.

    Raises ValueError, naming the path, for a dtype that safetensors lacks.
    """
    import safetensors.numpy

    known = {np.dtype(dtype) for dtype in _DTYPES.values()}
    for path, leaf in by_path(tree).items():
        if leaf.dtype not in known:
            raise ValueError(f"{path} has dtype {leaf.dtype}, which safetensors does not know.")
    arrays = by_path(jax.tree.map(lambda leaf: np.asarray(leaf, order="C"), jax.device_get(tree)))
    return safetensors.numpy.save(arrays, metadata)


def load(data: bytes) -> dict[str, np.ndarray]:
    """The arrays that `dump` wrote, by their paths. Raises ValueError for anything else."""
    import safetensors

    try:
        entries = safetensors.deserialize(data)
    except safetensors.SafetensorError as error:
        raise ValueError(f"it is no safetensors file ({error})") from error
    arrays = {}
    for path, entry in entries:
        if entry["dtype"] not in _DTYPES:
            raise ValueError(f"its {path} is of the dtype {entry['dtype']}, which is not known")
        arrays[path] = np.frombuffer(entry["data"], _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


def metadata(content: IO[bytes]) -> dict[str, str]:
    """The words that a file says beside its arrays; none of what is no such file."""
    try:
        head = json.loads(content.read(int.from_bytes(content.read(8), "little")))
        return {key: text for key, text in head.get("__metadata__", {}).items() if isinstance(text, str)}
    except (AttributeError, MemoryError, OverflowError, ValueError):
        return {}


def fitted(arrays: dict[str, np.ndarray], like: Tree) -> Tree:
    """The arrays in the structure of `like`, of the same shapes. Raises ValueError, naming the first that differs."""
    wanted = by_path(like)
    for path in sorted(wanted | arrays):
        there = "no such array" if path not in arrays else f"the shape {arrays[path].shape}"
        expected = "none" if path not in wanted else f"{tuple(wanted[path].shape)}"
        if path not in arrays or path not in wanted or arrays[path].shape != tuple(wanted[path].shape):
            raise ValueError(f"{path}: it has {there}, and the network {expected}")
    return jax.tree.unflatten(jax.tree.structure(like), [jnp.asarray(arrays[path]) for path in wanted])
