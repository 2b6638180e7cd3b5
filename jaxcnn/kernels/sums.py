"""Batch normalisation's sums over all axes but the last, on CPUs by the handlers in `sums.cc`; float32.

XLA needs two passes over x and an array x - mean between them for what the handler does in one pass. What JAX has to be
told about the handlers is here: under `vmap` XLA computes, and on several devices each sums up its part of the batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.custom_batching import custom_vmap
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from jaxcnn.kernels import library
from jaxcnn.kernels.onednn import cut, varying
from jaxcnn.kernels.platform import Served

Pair = tuple[Array, Array]  # two vectors, a number for each channel


@dataclass(frozen=True)
class Sums:
    """Two sums: the handler's name, the same by XLA, and what makes a whole of the parts on the devices of an axis."""

    target: str
    plain: Callable[..., Pair]
    merge: Callable[[Pair, Any], Pair]

    def taken(self, *arrays: Array) -> Pair:
        """By the handler where that is a CPU's."""
        first, second = _served(self)(*arrays)
        return first, second


def serves(*arrays: Array) -> bool:
    """Whether the handlers are here and take these arrays."""
    taken = all(a.dtype == jnp.float32 and a.size for a in arrays) and arrays[0].ndim > 1
    return taken and isinstance(library.find(), library.Library)


def first_entry(x: Array, axes: Sequence[int]) -> Array:
    """The first entry along these axes, which stay, of length 1.

    A mean is rounded to x's digits, which may be much beside a small deviation, and XLA may round it twice in two ways.
    Taken of what x has beyond one of its entries it keeps its digits, and that of a constant is that constant.
    """
    return x[tuple(slice(1) if axis in axes else slice(None) for axis in range(x.ndim))]


def _moments(x: Array) -> Pair:
    """The mean is rounded, which may be much beside the deviation; what it leaves is summed with the squares."""
    axes = tuple(range(x.ndim - 1))
    one = first_entry(x, axes)
    near = one.sum(axes) + (x - one).mean(axes)
    off = (x - near).mean(axes)
    return near + off, jnp.square(x - near).mean(axes) - jnp.square(off)


def _merged_moments(parts: Pair, devices: Any) -> Pair:
    """Chan, Golub & LeVeque 1983, equation 2.1, for parts of one size."""
    mean = lax.pmean(parts[0], devices)
    return mean, lax.pmean(parts[1] + jnp.square(parts[0] - mean), devices)


def _products(dy: Array, x: Array, mean: Array) -> Pair:
    axes = tuple(range(x.ndim - 1))
    return dy.sum(axes), (dy * (x - mean)).sum(axes)


MOMENTS = Sums("jaxcnn_moments", _moments, _merged_moments)
PRODUCTS = Sums("jaxcnn_products", _products, lax.psum)


@cache
def _served(sums: Sums) -> Served:
    return Served(sums.target, sums.plain, _batched(sums))


def _batched(sums: Sums) -> Callable[..., Pair]:
    @custom_vmap
    def compute(*arrays: Array) -> Pair:
        first, second = _partitioned(sums, [a.ndim for a in arrays])(*arrays)
        return varying(first, *arrays), varying(second, *arrays)

    @compute.def_vmap
    def _(size: int, batched: Sequence[bool], *arrays: Array) -> tuple[Pair, tuple[bool, bool]]:
        return jax.vmap(sums.plain, [0 if mapped else None for mapped in batched])(*arrays), (True, True)

    return compute


def _partitioned(sums: Sums, ranks: Sequence[int]) -> Callable[..., Pair]:
    """The handler, and how its arrays are cut up for several devices: along the batch."""

    def handler(*arrays: Array) -> Pair:
        each = jax.ShapeDtypeStruct(arrays[0].shape[-1:], jnp.float32)
        first, second = jax.ffi.ffi_call(sums.target, (each, each))(*arrays)
        return first, second

    def partition(mesh: Any, operands: Any, results: Any) -> Any:
        devices = next(iter(cut(operands[0])), None)
        vector, images = (NamedSharding(mesh, PartitionSpec(*by)) for by in ((), (devices,)))

        def shard(*arrays: Array) -> Pair:
            return sums.merge(handler(*arrays), devices) if devices else handler(*arrays)

        return mesh, shard, (vector, vector), tuple(images if rank > 1 else vector for rank in ranks)

    space = [f"s{axis}" for axis in range(max(ranks) - 2)]
    taken = ", ".join(" ".join(["n", *space, "c"]) if rank > 1 else "c" for rank in ranks)
    made = custom_partitioning(handler)
    made.def_partition(
        partition,
        sharding_rule=f"{taken} -> c, c",
        need_replication_factors=(*space, "c"),
        reduction_factors=("n",),
    )
    return made
