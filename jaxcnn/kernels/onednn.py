"""Convolution's three linear maps by oneDNN, on x86-64 CPUs. Arguments as in `kernels.xla`; float32 and bfloat16.

Each is one call of the handler in `onednn.cc`, on XLA's own arrays. What JAX has to be told about it is here:

* `vmap`: many batches with one kernel are one larger batch. Where each has its own kernel, or wants its own kernel
  gradient, the threads share them, and where they are too few, each of them.
* Several devices: the batch may be cut into shards, each device computes its own, and kernel gradients are summed over
  them. Any other axis is gathered.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.custom_batching import custom_vmap
from jax.experimental.custom_partitioning import custom_partitioning
from jax.sharding import NamedSharding, PartitionSpec

from jaxcnn.kernels import library
from jaxcnn.kernels.xla import Ints, Options, Pairs

Shape = Sequence[int]
MAPS = ("fprop", "dgrad", "wgrad")  # numbered as in onednn.cc
# What each handler is told of a convolution beside its map and the padding in front: the rest follows from the shapes.
TOLD = {
    library.TARGET: ("stride", "high", "dilation", "groups"),
    library.WINOGRAD: (),
    library.WINOGRAD_TOGETHER: (),
    library.WINOGRAD_BFLOAT16: (),
    library.DIRECT: ("stride",),
    library.DEPTHWISE: ("stride", "dilation"),
}


@dataclass(frozen=True)
class Call:
    """One of the maps and its options: all that the handler is told beside the arrays."""

    map: str
    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int
    sizes: Ints  # the result's spatial axes: y's, x's or the kernel's
    dtype: np.dtype[Any]  # the result's
    handler: str = library.TARGET  # or that of `kernels.winograd`, `.direct` or `.depthwise`, for what they serve

    @classmethod
    def of(
        cls,
        name: str,
        options: Options,
        a: Array,
        b: Array,
        sizes: Shape | None = None,
        *,
        handler: str = library.TARGET,
    ) -> "Call":
        """The map `name` of these operands; the result's sizes where they do not say."""
        stride, padding, dilation, groups, dtype = options
        if sizes is None:
            sizes = options.out(a.shape[1:-1], b.shape[:-2])
        return cls(name, stride, padding, dilation, groups, tuple(sizes), np.dtype(dtype or a.dtype), handler)

    def result(self, a: Shape, b: Shape) -> tuple[int, ...]:
        """The shape that the operands' shapes lead to."""
        if self.map == "fprop":
            return (a[0], *self.sizes, b[-1])
        if self.map == "dgrad":
            return (a[0], *self.sizes, b[-2] * self.groups)
        return (*self.sizes, a[-1] // self.groups, b[-1])

    def window_and_y(self, a: Shape, b: Shape) -> tuple[Shape, Shape]:
        """The kernel's spatial sizes, and y's with the batch."""
        if self.map == "wgrad":
            return self.sizes, b[:-1]
        return b[:-2], (a[0], *self.sizes) if self.map == "fprop" else a[:-1]

    def channels(self, a: Shape, b: Shape) -> tuple[int, int]:
        """Those that go into a group and come out of it."""
        return (a[-1] // self.groups if self.map == "wgrad" else b[-2]), b[-1] // self.groups

    def leads(self, array: Array, mapped: bool = False) -> bool:
        """Whether an array has a leading axis (beside `vmap`'s): one entry for each of a batch of convolutions."""
        return array.ndim - mapped > len(self.stride) + 2


@dataclass(frozen=True)
class Maps:
    """The three maps by one of the handlers."""

    handler: str

    def fprop(self, x: Array, kernel: Array, options: Options) -> Array:
        """y from x and kernel."""
        return self.compute("fprop", options, x, kernel)

    def dgrad(self, dy: Array, kernel: Array, sizes: Shape, options: Options) -> Array:
        """dx from dy and kernel."""
        return self.compute("dgrad", options, dy, kernel, sizes)

    def wgrad(self, x: Array, dy: Array, window: Shape, options: Options) -> Array:
        """dkernel from x and dy."""
        return self.compute("wgrad", options, x, dy, window)

    def compute(self, name: str, options: Options, a: Array, b: Array, *sizes: Shape) -> Array:
        """One of them by its name."""
        return _batched(Call.of(name, options, a, b, *sizes, handler=self.handler))(a, b)


_maps = Maps(library.TARGET)
fprop, dgrad, wgrad = _maps.fprop, _maps.dgrad, _maps.wgrad


def serves(name: str, options: Options, a: Array, b: Array, *sizes: Shape, always: bool = False) -> bool:
    """Whether oneDNN is here and has a fast implementation of the map `name` for these operands.

    In bfloat16 that is one that is faster than float32; another is taken only where `always`.
    """
    found = library.find()
    call = Call.of(name, options, a, b, *sizes)
    dtypes = {a.dtype, b.dtype}, {a.dtype, np.dtype(np.float32)}
    if isinstance(found, library.Missing) or len(dtypes[0]) > 1 or call.dtype not in dtypes[1]:
        return False
    if a.dtype not in (np.float32, jnp.bfloat16) or not math.prod([*a.shape, *b.shape, *call.result(a.shape, b.shape)]):
        return False
    shapes = {"a": a.shape, "b": b.shape, "result": call.result(a.shape, b.shape)}
    order = {"fprop": ("a", "b", "result"), "dgrad": ("result", "b", "a"), "wgrad": ("a", "result", "b")}[name]
    lows, highs = zip(*call.padding, strict=True)
    reach = [(size - 1) * step + 1 for size, step in zip(shapes[order[1]][:-2], call.dilation, strict=True)]
    if any(max(pads) >= size for pads, size in zip(call.padding, reach, strict=True)):
        return False  # a window lies wholly in padding: oneDNN 3.2 in bfloat16 then writes beyond its arrays
    implementation = found.implementation(
        (MAPS.index(name), a.dtype.itemsize, call.dtype.itemsize, call.groups, len(call.stride)),
        (*(shapes[one] for one in order), call.stride, lows, highs, call.dilation),
    )
    fast = always or a.dtype == np.float32 or found.multiplies_bfloat16(implementation)
    return bool(implementation) and not implementation.startswith("ref") and fast


@functools.cache
def _batched(call: Call) -> Callable[[Array, Array], Array]:
    """The map, and what `vmap` makes of it."""

    @custom_vmap
    def compute(a: Array, b: Array) -> Array:
        return varying(_partitioned(call, call.leads(a), call.leads(b))(a, b), a, b)

    @compute.def_vmap
    def _(size: int, batched: Sequence[bool], a: Array, b: Array) -> tuple[Array, bool]:
        if size == 0:
            each = (
                jax.ShapeDtypeStruct(one.shape[mapped:], one.dtype) for one, mapped in zip((a, b), batched, strict=True)
            )
            return jnp.zeros((0, *jax.eval_shape(compute, *each).shape), call.dtype), True
        many = [call.leads(*one) for one in zip((a, b), batched, strict=True)]
        if call.map != "wgrad" and not batched[1] and not any(many):
            y = compute(a.reshape(-1, *a.shape[2:]), b)
            return y.reshape(size, -1, *y.shape[1:]), True
        count = max([1, *(one.shape[mapped] for one, mapped, lead in zip((a, b), batched, many, strict=True) if lead)])
        both = [_for_each(*one, size, count) for one in zip((a, b), batched, many, strict=True)]
        y = compute(*both)
        return (y.reshape(size, count, *y.shape[1:]) if any(many) else y), True

    return compute


def varying(y: Array, *operands: Array) -> Array:
    """y itself, and inside `shard_map` known to differ from device to device where an operand does.

    Padding by nothing, with a number made of the operands, says so through public operations; XLA drops it.
    """
    one = sum(lax.squeeze(lax.slice(a, (0,) * a.ndim, (1,) * a.ndim), range(a.ndim)).astype(y.dtype) for a in operands)
    return lax.pad(y, one, [(0, 0, 0)] * y.ndim)


def cut(operand: Any) -> PartitionSpec:
    """How an operand is cut up. XLA may say so without the mesh's names, as of a constant: that is taken whole."""
    return getattr(operand.sharding, "spec", PartitionSpec())


def _for_each(array: Array, mapped: bool, lead: bool, size: int, count: int) -> Array:
    """An operand with one leading axis for `vmap`'s and its own; without one where it serves all."""
    if not mapped and not lead:
        return array
    array = array if mapped else array[None]
    array = array if lead else array[:, None]
    return jnp.broadcast_to(array, (size, count, *array.shape[2:])).reshape(size * count, *array.shape[2:])


@functools.cache
def _partitioned(call: Call, *leads: bool) -> Callable[[Array, Array], Array]:
    """The map, and how it is cut up for several devices: along the batch, and along a leading axis."""
    images = {"fprop": (True, False, True), "dgrad": (True, False, True), "wgrad": (True, True, False)}[call.map]
    leading = (*leads, any(leads))
    axes = [
        ["lead"] * lead + ["batch"] * batch + [f"whole{i}{j}" for j in range(len(call.stride) + 2 - batch)]
        for i, (lead, batch) in enumerate(zip(leading, images, strict=True))
    ]

    def partition(mesh: Any, operands: Any, result: Any) -> Any:
        along: dict[str, Any] = {}
        for operand, names in zip(operands, axes, strict=False):
            named = zip(names, cut(operand), strict=False)
            along |= {name: by for name, by in named if by and not name.startswith("whole")}
        of_result, *of_operands = (
            NamedSharding(mesh, PartitionSpec(*map(along.get, names))) for names in (axes[2], *axes[:2])
        )

        def shard(a: Array, b: Array) -> Array:
            part = _handler(call, a, b)
            return lax.psum(part, along["batch"]) if call.map == "wgrad" and "batch" in along else part

        return mesh, shard, of_result, tuple(of_operands)

    whole = tuple(name for names in axes for name in names if name.startswith("whole"))
    a, b, result = (" ".join(names) for names in axes)
    made = custom_partitioning(functools.partial(_handler, call))
    made.def_partition(
        partition,
        sharding_rule=f"{a}, {b} -> {result}",
        need_replication_factors=whole,
        reduction_factors=("batch",) if call.map == "wgrad" else (),
    )
    return made


def _handler(call: Call, a: Array, b: Array) -> Array:
    leads = [call.leads(one) for one in (a, b)]
    many = [one.shape[0] for one, lead in zip((a, b), leads, strict=True) if lead][:1]
    shape = call.result(a.shape[leads[0] :], b.shape[leads[1] :])
    result = jax.ShapeDtypeStruct((*many, *shape), call.dtype)
    lows, highs = zip(*call.padding, strict=True)
    # Of several convolutions these two make one call.
    handler = call.handler if call.handler == library.DEPTHWISE or not many else library.TARGET
    told = {
        "stride": np.array(call.stride),
        "high": np.array(highs),
        "dilation": np.array(call.dilation),
        "groups": np.int64(call.groups),
    }
    more = {name: told[name] for name in TOLD[handler]}
    return jax.ffi.ffi_call(handler, result)(a, b, map=np.int64(MAPS.index(call.map)), low=np.array(lows), **more)
