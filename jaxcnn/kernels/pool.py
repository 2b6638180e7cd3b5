"""Maxima of windows, on CPUs by the handlers in `pool.cc`; float32.

Max pooling goes one axis at a time, and keeps which tap won along each: of n axes the winners along the last are of the
image pooled along that alone. XLA, to whom the windows themselves tell their maxima (`ops/pool/windows.py`), makes a
pass over memory of each axis, forward and backward. The handlers take the last two at once, in one.

What JAX has to be told about them is here: under `vmap` many batches are one larger batch, and on several devices each
computes its part of the batch. Their derivatives are those of XLA's programs.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from jaxcnn.kernels import library
from jaxcnn.kernels.onednn import cut, varying
from jaxcnn.kernels.platform import Served, batch_merged

MOST_TAPS = 255  # along an axis: a winner is a byte


class Windows(Protocol):
    """The windows along an axis of (n, *spatial, c), and what XLA makes of them."""

    @property
    def axis(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def stride(self) -> int: ...
    @property
    def pads(self) -> tuple[int, int]: ...
    @property
    def dilation(self) -> int: ...
    def places(self, length: int) -> int:
        """How many windows there are along an axis of this length."""

    def maximum(self, x: Array) -> tuple[Array, Array]:
        """The maximum of each, and which tap holds it."""

    def spread(self, dy: Array, tap: Array, length: int) -> Array:
        """What they give to the positions of an axis of this length: dy to the tap of each."""


Axes = tuple[Windows, ...]  # along all spatial axes


def serves(x: Array, axes: Axes) -> bool:
    """Whether the handlers are here and take these windows of x."""
    small = all(windows.size <= MOST_TAPS for windows in axes)
    return small and x.dtype == jnp.float32 and bool(x.size) and isinstance(library.find(), library.Library)


def _maxima(x: Array, *, axes: Axes) -> tuple[Array, ...]:
    """y, and for each axis which tap won."""
    winners = []
    for windows in reversed(axes):
        x, tap = windows.maximum(x)
        winners.append(tap)
    return x, *reversed(winners)


def _maximum(x: Array, *, axes: Axes) -> tuple[Array]:
    """y alone."""
    return (_maxima(x, axes=axes)[0],)


def _spread(dy: Array, *winners: Array, axes: Axes, sizes: Sequence[int]) -> tuple[Array]:
    """dx, of the spatial sizes `sizes`, from dy and the winners."""
    for windows, tap, length in zip(axes, winners, sizes, strict=True):
        dy = windows.spread(dy, tap, length)
    return (dy,)


def _maxima_by_handler(x: Array, *, axes: Axes, kept: bool = True) -> tuple[Array, ...]:
    winners: list[Array] = []
    for group in _groups(axes):
        x, *found = (_apart(a, x.shape, group) for a in _forward(group, kept)(_merged(x, group)))
        winners = [*found, *winners]
    return x, *winners


def _maximum_by_handler(x: Array, *, axes: Axes) -> tuple[Array, ...]:
    return _maxima_by_handler(x, axes=axes, kept=False)


def _spread_by_handler(dy: Array, *winners: Array, axes: Axes, sizes: Sequence[int]) -> tuple[Array]:
    for group in reversed(_groups(axes)):
        taps = [winners[axes.index(windows)] for windows in group]
        lengths = tuple(sizes[windows.axis - 1] for windows in group)
        (dx,) = _backward(group, lengths)(*(_merged(a, group) for a in (dy, *taps)))
        dy = _apart(dx, dy.shape, group)
    return (dy,)


MAXIMA = Served("max_pool_maxima", _maxima, _maxima_by_handler)
MAXIMUM = Served("max_pool_maximum", _maximum, _maximum_by_handler)
SPREAD = Served("max_pool_spread", _spread, _spread_by_handler)


def _groups(axes: Axes) -> list[Axes]:
    """The axes that a handler takes at once, in the order of the forward: the last two, then each of the others."""
    return [axes[-2:], *((windows,) for windows in reversed(axes[:-2]))]


def _merged(a: Array, group: Axes) -> Array:
    """An array as the handlers take it: what is before a group's axes is one axis, and what is behind them is one."""
    first, last = group[0].axis, group[-1].axis + 1
    return a.reshape(math.prod(a.shape[:first]), *a.shape[first:last], math.prod(a.shape[last:]))


def _apart(a: Array, shape: Sequence[int], group: Axes) -> Array:
    """An array of the handlers' with the axes before and behind the group's again, as `shape` has them."""
    return a.reshape(*shape[: group[0].axis], *a.shape[1:-1], *shape[group[-1].axis + 1 :])


@functools.cache
def _forward(group: Axes, kept: bool) -> Callable[..., tuple[Array, ...]]:
    """The handler of y and, where they are kept, the winners."""

    def handler(x: Array) -> tuple[Array, ...]:
        at = [windows.places(length) for windows, length in zip(group, x.shape[1:-1], strict=True)]
        y = jax.ShapeDtypeStruct((x.shape[0], *at, x.shape[-1]), x.dtype)
        shapes = [y.shape, (*x.shape[:2], *y.shape[2:])][: len(group)] if kept else []
        taps = [jax.ShapeDtypeStruct(shape, np.uint8) for shape in shapes]
        return tuple(jax.ffi.ffi_call(library.POOLING[0], (y, *taps))(x, **_attributes(group)))

    space, places = [f"s{i}" for i in range(len(group))], [f"p{i}" for i in range(len(group))]
    found = [places, [*space[:1], *places[1:]]][: len(group)] if kept else []
    return _partitioned(handler, [space], [places, *found])


@functools.cache
def _backward(group: Axes, lengths: tuple[int, ...]) -> Callable[..., tuple[Array, ...]]:
    """The handler of dx from dy and the winners."""

    def handler(dy: Array, *taps: Array) -> tuple[Array, ...]:
        dx = jax.ShapeDtypeStruct((dy.shape[0], *lengths, dy.shape[-1]), dy.dtype)
        return (jax.ffi.ffi_call(library.POOLING[1], dx)(dy, *taps, **_attributes(group)),)

    space, places = [f"s{i}" for i in range(len(group))], [f"p{i}" for i in range(len(group))]
    return _partitioned(handler, [places, places, [*space[:1], *places[1:]]][: len(group) + 1], [space])


def _attributes(group: Axes) -> dict[str, Any]:
    """What the handlers are told of the windows."""
    named = {name: [getattr(windows, name) for windows in group] for name in ("size", "stride", "dilation")}
    return {name: np.array(v, np.int64) for name, v in {**named, "low": [w.pads[0] for w in group]}.items()}


def _partitioned(handler: Any, taken: Sequence[Sequence[str]], made: Sequence[Sequence[str]]) -> Any:
    """A handler, and how its arrays are cut up for several devices and under `vmap`: along the batch."""

    def partition(mesh: Any, operands: Any, results: Any) -> Any:
        by = NamedSharding(mesh, PartitionSpec(*cut(operands[0])[:1]))
        return mesh, handler, (by,) * len(made), (by,) * len(taken)

    arrays = [[" ".join(["n", *names, "c"]) for names in each] for each in (taken, made)]
    rule = " -> ".join(map(", ".join, arrays))
    whole = tuple(dict.fromkeys(" ".join(itertools.chain(*arrays)).split()))[1:]  # as they first appear, but for n
    cut_up = custom_partitioning(handler)
    cut_up.def_partition(partition, sharding_rule=rule, need_replication_factors=whole)
    return batch_merged(lambda *arrays: tuple(varying(made, *arrays) for made in cut_up(*arrays)))
