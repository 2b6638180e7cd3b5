"""The S-shaped: sigmoid, hard_sigmoid, tanh and softsign; and softplus, of which the sigmoid is the derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating, number, positive
from jaxcnn.ops.rule import rule


def _sigmoid_forward(x: Array) -> tuple[Array, Array]:
    """y and x: 1 - y has lost its digits where x is large."""
    return jax.nn.sigmoid(x), x


def _sigmoid_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = 1 / (1 + e⁻ˣ): dy/dx = e⁻ˣ / (1 + e⁻ˣ)² = y (1 - y).

    It is even in x, so it is taken at -|x|, where the exponential does not overflow.
    """
    power = jnp.exp(-jnp.abs(x))
    return (dy * (power / jnp.square(1 + power)),)


@rule(jax.nn.sigmoid, _sigmoid_forward, _sigmoid_backward)
def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + e⁻ˣ), any shape. ValueError for integer data. Its backward: `sigmoid.backward`."""
    return sigmoid.apply(floating("sigmoid", "x", x))


def _hard_sigmoid_plain(x: Array, *, slope: float, offset: float) -> Array:
    """(x - low) / (high - low), held between 0 and 1."""
    low, high, width = _ramp(slope, offset)
    return jnp.where(x <= low, 0, jnp.where(x >= high, 1, (x - low) / width))


def _ramp(slope: float, offset: float) -> tuple[float, float, float]:
    """Where slope x + offset is 0, where it is 1, and how far these lie apart: -3, 3 and 6 by default."""
    low, width = -offset / slope, 1 / slope
    return low, low + width, width


def _hard_sigmoid_forward(x: Array, *, slope: float, offset: float) -> tuple[Array, Array]:
    """y and x."""
    return _hard_sigmoid_plain(x, slope=slope, offset=offset), x


def _hard_sigmoid_backward(x: Array, dy: Array, *, slope: float, offset: float) -> tuple[Array]:
    """The cotangent dx of y = slope x + offset, held between 0 and 1: slope dy where 0 < y < 1, else 0.

    That is between low = -offset / slope and high = (1 - offset) / slope; at these kinks it is 0, too.
    """
    low, high, width = _ramp(slope, offset)
    return (jnp.where((x <= low) | (x >= high), 0, dy / width),)


@rule(_hard_sigmoid_plain, _hard_sigmoid_forward, _hard_sigmoid_backward)
def hard_sigmoid(x: ArrayLike, *, slope: float = 1 / 6, offset: float = 0.5) -> Array:
    """slope x + offset held between 0 and 1, any shape; (x + 3) / 6 by default, as PyTorch's.

    `slope` and `offset` are ONNX's alpha and beta, whose defaults are 0.2 and 0.5. Source: Howard et al. 2019,
    "Searching for MobileNetV3".

    Raises: ValueError for integer data, a slope that is not positive, and an offset that is not a finite number.
    The backward pass: `hard_sigmoid.backward`.
    """
    slope = positive("hard_sigmoid", "slope", slope)
    offset = number("hard_sigmoid", "offset", offset, "a finite number, such as 0.5")
    return hard_sigmoid.apply(floating("hard_sigmoid", "x", x), slope=slope, offset=offset)


def _tanh_forward(x: Array) -> tuple[Array, Array]:
    """y twice."""
    y = jnp.tanh(x)
    return y, y


def _tanh_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = sinh x / cosh x: dy/dx = (cosh² x - sinh² x) / cosh² x = 1 - y²."""
    return (dy * (1 - y * y),)


@rule(jnp.tanh, _tanh_forward, _tanh_backward)
def tanh(x: ArrayLike) -> Array:
    """The hyperbolic tangent, any shape. ValueError for integer data. Its backward: `tanh.backward`."""
    return tanh.apply(floating("tanh", "x", x))


def _softplus_plain(x: Array, *, beta: float, threshold: float | None) -> Array:
    """1/β log (1 + e^(β x)), and x where β x is above the threshold."""
    y = jax.nn.softplus(beta * x) / beta
    return y if threshold is None else jnp.where(beta * x > threshold, x, y)


def _softplus_forward(x: Array, *, beta: float, threshold: float | None) -> tuple[Array, Array]:
    """y and x; max(x, 0) + 1/β log (1 + e^-|β x|), where no exponential overflows."""
    y = jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-beta * jnp.abs(x))) / beta
    return (y if threshold is None else jnp.where(beta * x > threshold, x, y)), x


def _softplus_backward(x: Array, dy: Array, *, beta: float, threshold: float | None) -> tuple[Array]:
    """The cotangent dx of y = 1/β log (1 + e^(β x)): dy/dx = 1/β β e^(β x) / (1 + e^(β x)) = σ(β x).

    Above the threshold y = x and dx = dy; y jumps there, and the threshold itself belongs to what lies below it.

    Source: Dugas et al. 2001, "Incorporating second-order functional knowledge for better option pricing".
    """
    dx = dy * jax.nn.sigmoid(beta * x)
    return (dx if threshold is None else jnp.where(beta * x > threshold, dy, dx),)


@rule(_softplus_plain, _softplus_forward, _softplus_backward)
def softplus(x: ArrayLike, *, beta: float = 1.0, threshold: float | None = None) -> Array:
    """1/β log (1 + e^(β x)), any shape: the larger `beta`, the nearer to relu.

    Where beta x is above `threshold` it is x itself; PyTorch's threshold is 20. None, for no threshold, is exact, and
    overflows nowhere.

    Raises: ValueError for integer data, a beta that is not positive, and a threshold that is no finite number.
    Its backward: `softplus.backward`.
    """
    beta = positive("softplus", "beta", beta)
    if threshold is not None:
        threshold = number("softplus", "threshold", threshold, "a finite number, such as 20, or None")
    return softplus.apply(floating("softplus", "x", x), beta=beta, threshold=threshold)


def _softsign_plain(x: Array) -> Array:
    """x / (1 + |x|), and the sign of what is infinite."""
    finite = jnp.where(jnp.isinf(x), 0, x)
    return jnp.where(jnp.isinf(x), jnp.sign(x), finite / (1 + jnp.abs(finite)))


def _softsign_forward(x: Array) -> tuple[Array, Array]:
    """y and x: 1 - |y| has lost its digits where |x| is large."""
    most = jnp.finfo(x.dtype).max  # type: ignore[no-untyped-call]
    held = jnp.clip(x, -most, most)
    return held / (1 + jnp.abs(held)), x


def _softsign_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: for x > 0, y = x / (1 + x) and dy/dx = 1 / (1 + x)²; y is odd, so dx = dy / (1 + |x|)²."""
    scale = 1 + jnp.abs(x)
    return (dy / scale / scale,)


@rule(_softsign_plain, _softsign_forward, _softsign_backward)
def softsign(x: ArrayLike) -> Array:
    """x / (1 + |x|), any shape. ValueError for integer data. Its backward: `softsign.backward`."""
    return softsign.apply(floating("softsign", "x", x))
