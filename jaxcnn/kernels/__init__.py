"""Who computes convolution's three linear maps and batch norm's sums: oneDNN and we on a CPU, XLA anywhere else.

`fprop`, `dgrad` and `wgrad` take what those of `kernels.xla` take, and its `Options` as keywords. XLA's own serve every
case; the others, `kernels.onednn`, `kernels.direct`, `kernels.matmul`, `kernels.winograd` and `kernels.depthwise`,
those that a CPU has them for.

They also take `precision`, which says how float32 operands are multiplied. "bfloat16" rounds each to bfloat16 and sums
the products in float32: the same numbers on every machine, and fast where one multiplies bfloat16 faster. "float32" is
all of float32 on every platform, and None follows `jax.default_matmul_precision`; where that says nothing either, XLA
does as it likes, and on a CPU 3×3 kernels may go to `kernels.winograd`, which rounds more.
"""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxcnn.kernels import depthwise, direct, grouped, library, matmul, onednn, pool, sums, table, winograd, xla
from jaxcnn.kernels.platform import Served, platform_dependent
from jaxcnn.primitive import Operation

__all__ = ["dgrad", "fprop", "maxima", "maximum", "moments", "products", "spread", "use", "wgrad"]

# jit's caches are keyed by a user context, so a function traced with one choice is never reused with another.
_choice = jax.make_user_context("auto")


def use(kernels: Literal["auto", "fast", "onednn", "xla"]) -> AbstractContextManager[None]:
    """Choose who computes on a CPU inside the `with` block; other platforms always use XLA's.

    "auto" (the default) is whatever is fastest of oneDNN, of Winograd's algorithm over it and of our own sums, where
    they were built, and of XLA.
    "fast" is the same, but Winograd's algorithm lays small images together, 5×5 say, which takes half as long: how an
    image is rounded, and whether a NaN reaches it, then depends on its neighbours. And with precision "bfloat16" it is
    taken, too, where the machine multiplies bfloat16: 3×3 kernels of stride 1 then take about half as long, with errors
    of 1e-2 of a result's size (root mean squares) and not 2e-3.
    "onednn" is whatever implementation of its own it has, and a ValueError where it was not built or can't be loaded.
    "xla" never uses it.
    """
    if kernels not in ("auto", "fast", "onednn", "xla"):
        raise ValueError(f'kernels.use: kernels is {kernels!r}; expected "auto", "fast", "onednn" or "xla".')
    found = library.find() if kernels == "onednn" else None
    if isinstance(found, library.Missing):
        raise ValueError(f'kernels.use: "onednn" can\'t be had: {found.reason}. `jaxcnn doctor` says how to add it.')
    return _choice(kernels)


def fprop(x: Array, kernel: Array, **options: Any) -> Array:
    """y from x and kernel."""
    return _MAPS["fprop"](x, kernel, (), options)


def dgrad(dy: Array, kernel: Array, sizes: Sequence[int], **options: Any) -> Array:
    """dx, of the spatial sizes `sizes`, from dy and kernel."""
    return _MAPS["dgrad"](dy, kernel, (tuple(sizes),), options)


def wgrad(x: Array, dy: Array, window: Sequence[int], **options: Any) -> Array:
    """dkernel, of the spatial sizes `window`, from x and dy."""
    return _MAPS["wgrad"](x, dy, (tuple(window),), options)


def moments(x: Array) -> tuple[Array, Array]:
    """Mean and biased variance of each channel, (c,), of x (..., c)."""
    return _sums(sums.MOMENTS, x)


def products(dy: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """Σ dy and Σ dy (x - mean) for each channel, (c,), of dy and x (..., c)."""
    return _sums(sums.PRODUCTS, dy, x, mean)


def _sums(which: sums.Sums, *arrays: Array) -> tuple[Array, Array]:
    if _choice.value == "xla" or _open(*arrays) or not sums.serves(*arrays):
        return which.plain(*arrays)
    return which.taken(*arrays)


def maxima(x: Array, axes: pool.Axes) -> tuple[Array, list[Array]]:
    """The maxima of the windows along all spatial axes of x, and for each axis which tap won."""
    y, *winners = _pooled(pool.MAXIMA, x, axes=axes)
    return y, winners


def maximum(x: Array, axes: pool.Axes) -> Array:
    """The maxima alone."""
    return _pooled(pool.MAXIMUM, x, axes=axes)[0]


def spread(dy: Array, winners: Sequence[Array], axes: pool.Axes, sizes: Sequence[int]) -> Array:
    """dx, of the spatial sizes `sizes`: dy given to the winners."""
    return _pooled(pool.SPREAD, dy, *winners, axes=axes, sizes=tuple(sizes))[0]


def _pooled(which: Served, *arrays: Array, axes: pool.Axes, **options: Any) -> tuple[Array, ...]:
    if _choice.value == "xla" or _open(*arrays) or not pool.serves(arrays[0], axes):
        return which.plain(*arrays, axes=axes, **options)
    return which(*arrays, axes=axes, **options)


@dataclass(frozen=True)
class _Map:
    """One of the maps, bilinear in a and b, and its derivatives: rules' second ones go through it."""

    name: str

    def __call__(self, a: Array, b: Array, sizes: tuple[Any, ...], options: dict[str, Any]) -> Array:
        parts = self.forward, self.backward, self.tangent
        return Operation(self.name, *parts, (("sizes", sizes), *options.items()))(a, b)

    def forward(self, a: Array, b: Array, *, sizes: tuple[Any, ...], **options: Any) -> tuple[Array, Any]:
        return _compute(self.name, a, b, sizes, tuple(options.items())), (a, b)

    def backward(self, operands: Any, dresult: Array, *, sizes: Any, **options: Any) -> tuple[Array, Array]:
        """What multiplies a and b in ⟨map(a, b), dresult⟩: a map is ⟨dy, conv(x, kernel)⟩ with one array taken out."""
        a, b = operands
        options |= {"preferred_element_type": None}
        given = dresult.astype(a.dtype)
        if self.name == "fprop":
            return dgrad(given, b, a.shape[1:-1], **options), wgrad(a, given, b.shape[:-2], **options)
        if self.name == "dgrad":
            return fprop(given, b, **options), wgrad(given, a, b.shape[:-2], **options)
        return dgrad(b, given, a.shape[1:-1], **options), fprop(a, given, **options)

    def tangent(self, operands: Any, tangents: Any, *, sizes: Any, **options: Any) -> Array:
        """That of map(a, b) is map(ȧ, b) + map(a, ḃ)."""
        (a, b), (da, db) = operands, tangents
        pairs = [(da, b)] * (da is not None) + [(a, db)] * (db is not None)
        first, *rest = (self(*pair, sizes, options) for pair in pairs)
        return sum(rest, first)


_MAPS = {name: _Map(name) for name in ("fprop", "dgrad", "wgrad")}


@partial(jax.jit, static_argnums=(0, 3, 4), inline=True)  # so that a call outside jit is not traced each time
def _compute(name: str, a: Array, b: Array, sizes: tuple[Any, ...], options: tuple[tuple[str, Any], ...]) -> Array:
    keywords = dict(options)
    precision = keywords.pop("precision", None)
    rounds = precision == "bfloat16" and a.dtype == jnp.float32
    narrow = a.dtype == b.dtype == jnp.bfloat16
    if rounds and keywords.get("preferred_element_type") is None:
        keywords["preferred_element_type"] = a.dtype
    given = xla.Options(**keywords)

    def by(module: Any, cast: Any = _unchanged, given: xla.Options = given) -> Any:
        def compute(a: Array, b: Array) -> Array:
            with jax.default_matmul_precision(precision) if precision else nullcontext():
                return getattr(module, name)(cast(a), cast(b), *sizes, given)

        return compute

    # Whoever asks for float32 gets the sums as they stand, which round least.
    default = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
    exact = precision == "float32" or (precision is None and default is not None)
    taps = math.prod(sizes[0] if name == "wgrad" else b.shape[:-2])
    anywhere: Any = grouped if given.groups > 1 and taps <= grouped.MOST_TAPS else xla
    kernel = "xla" if _open(a, b) else _kernel(name, given, a, b, sizes, exact=exact, bfloat16=rounds or narrow)
    modules = {
        "onednn": onednn,
        "direct": direct,
        "matmul": matmul,
        "winograd": _winograd(),
        "depthwise": depthwise,
        "onednn bfloat16": onednn,
        "winograd bfloat16": winograd.BFLOAT16,
        "xla": anywhere,
    }
    module = modules[kernel]
    if rounds:
        casts = {"onednn bfloat16": _narrow, "winograd bfloat16": _unchanged}  # which rounds for itself
        cpu = by(module, casts.get(kernel, _rounded))
        return platform_dependent(a, b, cpu=cpu, default=by(xla, _rounded))
    if narrow and kernel in ("onednn", "direct", "matmul", "winograd", "depthwise", "winograd bfloat16"):
        wide = by(module, _widened, given._replace(preferred_element_type=jnp.float32))
        dtype = given.preferred_element_type or a.dtype
        return platform_dependent(a, b, cpu=lambda a, b: wide(a, b).astype(dtype), default=by(xla))
    return by(xla)(a, b) if module is xla else platform_dependent(a, b, cpu=by(module), default=by(xla))


def _kernel(
    name: str, given: xla.Options, a: Array, b: Array, sizes: tuple[Any, ...], *, exact: bool, bfloat16: bool
) -> str:
    """Which of `table.KERNELS` computes on a CPU: of those that can and may, the fastest. Or "depthwise".

    With `bfloat16` the operands are, or are to be, rounded to it: those that multiply float32 take them as they are.
    """
    choice = _choice.value
    if choice == "xla":
        return "xla"
    always = choice == "onednn"
    if a.dtype not in (jnp.float32, jnp.bfloat16) or a.dtype != b.dtype:
        return "xla"
    wide, narrow = _described(jnp.float32, a, b), _described(jnp.bfloat16, a, b)
    float32 = given._replace(preferred_element_type=None)
    able = ["onednn"] * onednn.serves(name, float32, *wide, *sizes, always=always)
    if bfloat16:
        able = ["onednn bfloat16"] * onednn.serves(name, given, *narrow, *sizes, always=always) + able
    if not always and "onednn bfloat16" not in able and depthwise.serves(name, float32, *wide, *sizes):
        return "depthwise"
    if always or not able:
        return able[0] if able else "xla"
    call = onednn.Call.of(name, float32, *wide, *sizes)
    shape = table.Shape.of(call, a.shape, b.shape)
    work = dict.fromkeys([*able, "xla"], shape.products)
    for kernel, serves in (("direct", direct.serves), ("matmul", matmul.serves)):
        if serves(name, float32, *wide, *sizes):
            work[kernel] = shape.products
    for kernel, one in (("winograd", _winograd()), ("winograd bfloat16", winograd.BFLOAT16)):
        allowed = not exact if kernel == "winograd" else choice == "fast" and "onednn bfloat16" in able
        if allowed and one.serves(name, float32, *wide, *sizes):
            work[kernel] = one.work(call, a.shape, b.shape)
    return table.table().fastest(shape, work)


def _winograd() -> winograd.Winograd:
    """Winograd's algorithm in float32, as it is chosen."""
    return winograd.TOGETHER if _choice.value == "fast" else winograd.FLOAT32


def _open(*arrays: Array) -> bool:
    """Whether some length is left open, as `jax.export` allows: only XLA computes those."""
    return not all(isinstance(length, int) for a in arrays for length in a.shape)


def _described(dtype: Any, *arrays: Array) -> Any:
    """What `serves` and the table ask of arrays like these, of another dtype."""
    return [jax.ShapeDtypeStruct(a.shape, dtype) for a in arrays]


def _unchanged(operand: Array) -> Array:
    return operand


def _widened(operand: Array) -> Array:
    return operand.astype(jnp.float32)


def _narrow(operand: Array) -> Array:
    return operand.astype(jnp.bfloat16)


def _rounded(operand: Array) -> Array:
    """Its values in bfloat16, still float32: for whoever multiplies float32 faster than bfloat16 that gives float32.

    So does a CPU, and so does XLA on a GPU: it would make such a convolution one of float32 and, since it may keep
    more digits than it is told to, leave out the rounding. The TensorFloat-32 that it multiplies in holds these values.
    """
    return lax.reduce_precision(operand, exponent_bits=8, mantissa_bits=7)
