"""The operations that are timed: shapes, options, and the least work that each pass needs."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcnn import ops

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One operation on arrays of these shapes.

    `parts` names the backward passes that are timed, each with the arguments whose cotangents it computes together.
    """

    name: str
    op: str
    shapes: tuple[Shape, ...]
    options: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, tuple[int, ...]] = field(default_factory=lambda: {"dx": (0,)})

    def function(self, *arrays: Array) -> Array:
        """The operation, its options filled in."""
        y = getattr(ops, self.op)(*arrays, **self.options)
        return cast(Array, y[0]) if self.op == "batch_norm" else cast(Array, y)  # not the batch's mean and variance

    def arrays(self, dtype: Any) -> tuple[list[Array], Array]:
        """Standard normal (arguments, dy), rounded to what bfloat16 holds, so that every dtype gets the same values."""
        rng = np.random.default_rng(0)
        drawn = [rng.standard_normal(shape, np.float32) for shape in (*self.shapes, self.output)]
        *arrays, dy = (jnp.asarray(values, jnp.bfloat16).astype(dtype) for values in drawn)
        return arrays, dy

    @property
    def output(self) -> Shape:
        """The shape of y."""
        described = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in self.shapes]
        return jax.eval_shape(self.function, *described).shape

    @property
    def multiplies(self) -> bool:
        """Whether arithmetic bounds it, and not memory."""
        return self.op in ("conv", "dense")

    def work(self, itemsize: int) -> dict[str, float]:
        """What each pass needs at the least.

        Floating-point operations, a multiply-add being two, of a convolution or matrix product: each pass does one
        for every pair of an output and a tap. For others bytes: every array is read or written once.
        """
        if self.multiplies:
            kernel = self.shapes[1]
            return dict.fromkeys(["forward", *self.parts], 2.0 * math.prod(self.output) * math.prod(kernel[:-1]))
        inputs, y = [math.prod(s) for s in self.shapes], math.prod(self.output)
        passes = {"forward": sum(inputs) + y}
        passes |= {part: sum(inputs) + y + sum(inputs[i] for i in wanted) for part, wanted in self.parts.items()}
        return {part: float(itemsize * values) for part, values in passes.items()}


def _conv(
    n: int, h: int, w: int, cin: int, cout: int, window: int, stride: int, *, note: str = "", **options: Any
) -> Case:
    shown = f"conv {note}{window}×{window}" + (f" stride {stride}" if stride > 1 else "")
    return Case(
        f"{shown}, {n}×{h}×{w}×{cin} to {cout}",
        "conv",
        ((n, h, w, cin), (window, window, cin // options.get("groups", 1), cout)),
        {"stride": stride} | options,
        {"dx": (0,), "dkernel": (1,)},
    )


def _pool(op: str, shape: Shape, size: int, note: str, **options: Any) -> Case:
    return Case(f"{op} {note}, {_times(shape)}", op, (shape,), {"size": size} | options)


def _times(shape: Shape) -> str:
    return "×".join(map(str, shape))


_PIXELS = (64, 32, 32, 64)

CASES: tuple[Case, ...] = (
    _conv(64, 32, 32, 64, 64, 3, 1),
    _conv(64, 16, 16, 128, 128, 3, 1),
    _conv(64, 14, 14, 32, 64, 5, 1),
    _conv(64, 32, 32, 64, 128, 3, 2),
    _conv(8, 56, 56, 64, 256, 1, 1),
    _conv(8, 224, 224, 3, 64, 7, 2, padding=3),
    _conv(64, 32, 32, 128, 128, 3, 1, note="depthwise ", groups=128),
    _conv(64, 16, 16, 128, 128, 3, 1, note="in 4 groups ", groups=4),
    _conv(64, 16, 16, 128, 128, 3, 1, note="dilated by 2 ", dilation=2),
    Case("dense, 128×4096 to 1024", "dense", ((128, 4096), (4096, 1024)), parts={"dx": (0,), "dkernel": (1,)}),
    _pool("max_pool", _PIXELS, 2, "2×2"),
    _pool("max_pool", (8, 112, 112, 64), 3, "3×3 stride 2", stride=2, padding=1),
    _pool("avg_pool", _PIXELS, 2, "2×2"),
    Case(
        f"batch_norm, {_times(_PIXELS)}, dx with dscale and dbias",
        "batch_norm",
        (_PIXELS, (64,), (64,)),
        parts={"dx": (0, 1, 2)},
    ),
    Case(f"relu, {_times(_PIXELS)}", "relu", (_PIXELS,)),
    Case(f"gelu, {_times(_PIXELS)}", "gelu", (_PIXELS,)),
)

# For `jaxcnn bench --quick`: what networks have between their convolutions, and a convolution of each kind, of 8
# images, since XLA's own kernels take up to 20 times as long as ours.
QUICK: tuple[Case, ...] = (
    _pool("max_pool", _PIXELS, 2, "2×2"),
    Case(f"gelu, {_times(_PIXELS)}", "gelu", (_PIXELS,)),
    _conv(8, 32, 32, 64, 64, 3, 1),
    _conv(8, 56, 56, 64, 256, 1, 1),
    _conv(8, 32, 32, 128, 128, 3, 1, note="depthwise ", groups=128),
)


def passes(case: Case, arrays: list[Array], dy: Array) -> dict[str, Callable[[], Any]]:
    """What computes each pass of the operation, jitted, to be called in the context that says who does.

    The forward is that of training: it returns y, and first what it keeps for the backward beside its arguments and y.
    A backward pass gets all that is kept, and computes the cotangents that its part names and nothing else.
    """
    forward: list[Any] = []  # compiled at the first call, which is in that context
    kept: list[Any] = []  # the pullback

    def answer() -> Any:
        if not forward:
            forward.append(jax.jit(_without_copies(lambda *arrays: jax.vjp(case.function, *arrays), arrays)))
        return forward[0](*arrays)

    def backward(wanted: tuple[int, ...]) -> Callable[[], Any]:
        compiled = jax.jit(lambda pull, dy: [pull(dy)[i] for i in wanted])

        def call() -> Any:
            if not kept:
                kept.append(jax.jit(lambda *arrays: jax.vjp(case.function, *arrays)[1])(*arrays))
            return compiled(kept[0], dy)

        return call

    return {"forward": answer} | {part: backward(wanted) for part, wanted in case.parts.items()}


def _without_copies(function: Callable[..., Any], arrays: list[Array]) -> Callable[..., tuple[Any, list[Any]]]:
    """The function's first result and its others' leaves, but for those that are an argument or another result.

    In a network they are where they are; a jitted function would return a copy of each.
    """
    traced = jax.make_jaxpr(lambda *arrays: jax.tree.leaves(function(*arrays)))(*arrays)
    known = {id(variable) for variable in traced.jaxpr.invars}
    new = []
    for index, variable in enumerate(traced.jaxpr.outvars):
        if id(variable) not in known:
            new.append(index)
        known.add(id(variable))

    def fewer(*arrays: Array) -> tuple[Any, list[Any]]:
        leaves = jax.tree.leaves(function(*arrays))
        return leaves[0], [leaves[index] for index in new if index > 0]

    return fewer
