"""Checkpoints: any pytree of arrays, written by Orbax so that a killed write leaves the previous one whole.

A checkpoint called `last` is the folder `last/N`, N counting up. Orbax writes beside it and renames when all is on
disk; only then are older ones removed. So the highest N is always complete. Nothing is pickled.
"""

import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp

Tree = TypeVar("Tree")


def save(folder: Path, tree: Any) -> None:
    """Make `tree` the checkpoint that `folder` holds; returns when it is on disk."""
    newest = _newest(folder)
    target = folder.absolute() / ("0" if newest is None else str(int(newest.name) + 1))
    with _orbax() as checkpointer:
        checkpointer.save(target, tree)
        checkpointer.wait_until_finished()
    for other in folder.iterdir():
        if other.name != target.name:
            shutil.rmtree(other)


def exists(folder: Path) -> bool:
    """Whether `folder` holds a complete checkpoint."""
    return _newest(folder) is not None


def restore(folder: Path, like: Tree) -> Tree:
    """The checkpoint in `folder`, in the structure of `like` (arrays or `jax.ShapeDtypeStruct`s).

    Raises FileNotFoundError if there is none, and ValueError if it holds other arrays than `like` has.
    """
    newest = _newest(folder)
    if newest is None:
        raise FileNotFoundError(f"{folder} holds no checkpoint; train the run until one is saved.")
    device = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    target = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=device), like)
    with _orbax() as checkpointer:
        _check_same(newest, _shapes(checkpointer.metadata(newest.absolute()).item_metadata.tree), _shapes(like))
        restored: Tree = checkpointer.restore(newest.absolute(), target)
    return restored


def _newest(folder: Path) -> Path | None:
    """The complete checkpoint with the highest number; an unfinished one has a longer name."""
    complete = [child for child in folder.glob("*") if child.name.isdigit()]
    return max(complete, key=lambda child: int(child.name), default=None)


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    """The shape of every array by its path; a random key's is that of its data, as Orbax writes it."""

    def shape(leaf: Any) -> tuple[int, ...]:
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return tuple(jax.eval_shape(jax.random.key_data, leaf).shape if is_key else leaf.shape)

    leaves, _ = jax.tree.flatten_with_path(tree, is_leaf=lambda leaf: hasattr(leaf, "shape"))
    return {jax.tree_util.keystr(path, simple=True, separator="/"): shape(leaf) for path, leaf in leaves}


def _check_same(path: Path, saved: dict[str, tuple[int, ...]], wanted: dict[str, tuple[int, ...]]) -> None:
    different = [name for name in saved | wanted if saved.get(name) != wanted.get(name)]
    if different:
        name = min(different, key=len)  # the parameter itself, rather than the optimizer's copies of it
        raise ValueError(
            f"the checkpoint {path} is of another network or optimizer: its {name} has shape "
            f"{saved.get(name, 'none (absent)')}, expected {wanted.get(name, 'none (absent)')}. "
            "Restore it with the model, classes and optimizer that it was trained with."
        )


@contextmanager
def _orbax() -> Iterator[Any]:
    """An Orbax checkpointer; imported here because that takes a second, and quiet unless something is wrong."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        import orbax.checkpoint as ocp

        with ocp.StandardCheckpointer() as checkpointer:
            yield checkpointer
    finally:
        logger.setLevel(level)
