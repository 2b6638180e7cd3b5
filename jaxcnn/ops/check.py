"""What the doors of the operations share: refusing bad arrays with an error that says what to do."""

import math
import reprlib
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.export import is_symbolic_dim
from jax.typing import ArrayLike

from jaxcnn.ops.geometry import known, whole, wrong
from jaxcnn.primitive import promoting

Layout = Literal["NHWC", "NCHW"]


def floating(op: str, argument: str, x: ArrayLike) -> Array:
    """`x` as an array of floats; ValueError for integers, with how to scale pixels, and for what is no array."""
    try:
        array = jnp.asarray(x)
    except (TypeError, ValueError) as error:  # of a list of arrays on several devices, too
        raise ValueError(f"{op}: {argument} is {reprlib.repr(x)}; expected an array of floats. JAX: {error}") from None
    if not jnp.issubdtype(array.dtype, jnp.floating):
        pixels = jnp.issubdtype(array.dtype, jnp.integer)
        raise ValueError(
            f"{op}: {argument} has dtype {array.dtype}; expected floats."
            + (f" For 8-bit pixels write {argument}.astype(jnp.float32) / 255." if pixels else "")
        )
    return array


def same_dtype(*arrays: Array | None) -> list[Array | None]:
    """The arrays promoted to their common dtype, so that each cotangent has the dtype its caller gave."""
    dtype = jnp.result_type(*(a for a in arrays if a is not None))
    return [None if a is None else a.astype(dtype) for a in arrays]


def spatial(op: str, x: Array, layout: Layout) -> tuple[Array, int]:
    """`x` with channels last, and its number of spatial axes (1, 2 or 3); ValueError for another rank."""
    if x.ndim not in (3, 4, 5):
        raise ValueError(
            f"{op}: x has shape {x.shape}; expected a batch with 1, 2 or 3 spatial axes and channels, "
            "such as (n, h, w, c). For a single image write x[None]; for images without channels x[..., None]."
        )
    return channels_last(op, x, layout), x.ndim - 2


def image(op: str, x: ArrayLike, layout: Layout) -> tuple[Array, int]:
    """`floating` and `spatial`, and no spatial axis is empty."""
    array, axes = spatial(op, floating(op, "x", x), layout)
    if 0 in array.shape[1:-1]:
        raise ValueError(f"{op}: x has spatial sizes {array.shape[1:-1]}; every axis must be 1 or longer.")
    return array, axes


def sized_image(op: str, x: ArrayLike, layout: Layout) -> tuple[Array, int]:
    """`image`, and no spatial size is one that `jax.export` leaves open: for operations that make tables of places."""
    array, axes = image(op, x, layout)
    if any(map(is_symbolic_dim, array.shape[1:-1])):
        raise ValueError(
            f"{op}: x has spatial sizes {array.shape[1:-1]}; expected numbers, of which tables of places are made. "
            "Export with fixed sizes; the batch may be left open."
        )
    return array, axes


def channels_last(op: str, x: Array, layout: Layout) -> Array:
    """(n, c, h, w) to (n, h, w, c) where `layout` is "NCHW", for any number of spatial axes."""
    if layout not in ("NHWC", "NCHW"):
        raise ValueError(
            f'{op}: layout is {layout!r}; expected "NHWC" (channels last) or "NCHW" (channels first), '
            "whatever the number of spatial axes."
        )
    return x if layout == "NHWC" else jnp.moveaxis(x, 1, -1)


def channels_back(y: Array, layout: Layout) -> Array:
    """Undo `channels_last` on an operation's output."""
    return y if layout == "NHWC" else jnp.moveaxis(y, -1, 1)


def fewer_than(count: int, shape: Sequence[Any]) -> bool:
    """Whether an array of this shape has fewer entries, as far as that is known: `jax.export` leaves lengths open."""
    return all(isinstance(length, int) for length in shape) and math.prod(shape) < count


def known_values(x: ArrayLike) -> np.ndarray[Any, Any] | None:
    """The values of `x`, or None where they can't be looked at now: under `jit`, `grad` and `vmap`."""
    return None if isinstance(x, jax.core.Tracer) else np.asarray(x)


def accumulator(x: Array) -> jnp.dtype[Any]:
    """The dtype in which sums over `x` are taken: float32 for half precision, else x's own."""
    with promoting():  # layers ask, too
        return jnp.promote_types(x.dtype, jnp.float32)


def shape_only(x: Array) -> Array:
    """A residual that keeps x's shape behind the batch axis, and no data."""
    return jnp.zeros((0, *x.shape[1:]), x.dtype)


def channel_vectors(op: str, x: Array, layout: Layout, **vectors: Array) -> None:
    """Each vector has one entry for each channel of `x`, channels last; ValueError otherwise."""
    for argument, vector in vectors.items():
        if vector.shape != (x.shape[-1],):
            hint = f"Give {argument} of shape ({x.shape[-1]},)."
            if vector.ndim == 1 and layout == "NHWC" and x.ndim > 2 and x.shape[1] == len(vector):
                hint = f'Axis 1 of x has {len(vector)}: if x is NCHW, (n, c, h, w), pass layout="NCHW".'
            elif vector.ndim == 1 and layout == "NCHW" and x.ndim > 2 and x.shape[-2] == len(vector):
                hint = 'If x is NHWC, (n, h, w, c), pass layout="NHWC".'
            raise ValueError(
                f"{op}: {argument} has shape {vector.shape}, but x has {x.shape[-1]} channels (shape {x.shape}, "
                f"channels last). {hint}"
            )


def same_shape(op: str, first: str, a: Array, second: str, b: Array, hint: str = "") -> None:
    """Two arrays (n, ...) of one shape; ValueError otherwise, since broadcasting would hide the mistake."""
    if a.ndim < 1 or a.shape != b.shape:
        fix = hint or f"Reshape one of them, such as {second}.reshape({first}.shape) where the sizes agree."
        raise ValueError(
            f"{op}: {first} has shape {a.shape} and {second} {b.shape}; expected one shape (n, ...). {fix}"
        )


def is_number(value: Any) -> bool:
    """Whether `value` is a real number of Python, NumPy or JAX, and known: `float` makes one of Python's of it."""
    value = known(value)
    return isinstance(value, Real) and not isinstance(value, bool)


def number(op: str, argument: str, value: Any, expected: str, fits: Callable[[float], bool] = math.isfinite) -> float:
    """`value` as a float of Python's; ValueError unless it `is_number` and fits.

    Every option that is a number comes through here, `whole` or `per_axis`: of NumPy's and JAX's a rule keeps
    Python's, which can be hashed.
    """
    if not is_number(value) or not fits(known(value)):
        raise wrong(op, argument, value, expected)
    return float(known(value))


def positive(op: str, argument: str, value: Any) -> float:
    """`value` as a float; ValueError unless it is a positive, finite number."""
    return number(op, argument, value, "a positive number, such as 1e-5", lambda v: 0 < v < math.inf)


def epsilon_of(op: str, value: Any) -> float:
    """`epsilon` as a float; ValueError unless it is a finite number of 0 or more."""
    return number(op, "epsilon", value, "a number of 0 or more, such as 1e-5", lambda v: 0 <= v < math.inf)


def exponent(p: float) -> float:
    """`p` as an int where it is whole: whole powers are products, and take entries below 0."""
    return int(p) if p.is_integer() else p


def group_count(op: str, groups: Any, channels: int, whose: str) -> int:
    """`groups` as an int; ValueError unless it is 1 or more and divides the `channels` of `whose`."""
    expected = f"an int of 1 or more that divides the {channels} channels of {whose}"
    return whole(op, "groups", groups, expected, lambda g: g >= 1 and channels % g == 0)
