"""Activations: element by element, and softmax over one axis.

Each backward uses the cheapest residual: y where the derivative is a function of y, so that x can be freed. None of
them makes a NaN or an infinity out of finite values, however large.
"""

import math
from numbers import Integral

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating, is_number
from jaxcnn.ops.rule import rule


def _relu_plain(x: Array) -> Array:
    """max(x, 0), with the derivative 0 at 0 (that of `jnp.maximum` is 1/2); NaN stays NaN."""
    return jnp.where(x <= 0, 0, x)


def _relu_forward(x: Array) -> tuple[Array, Array]:
    """y twice: y > 0 exactly where x > 0."""
    y = _relu_plain(x)
    return y, y


def _relu_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = max(x, 0): dy where x > 0, else 0.

    At 0, where any value in [0, 1] is a subgradient, it is 0: a unit that is off learns nothing.
    Source: Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    return (jnp.where(y <= 0, 0, dy),)


@rule(_relu_plain, _relu_forward, _relu_backward)
def relu(x: ArrayLike) -> Array:
    """max(x, 0), any shape; relu'(0) = 0. ValueError for integer data. Its backward: `relu.backward`."""
    return relu.apply(floating("relu", "x", x))


def _leaky_relu_plain(x: Array, *, slope: float) -> Array:
    """x where x > 0, else slope x."""
    return jnp.where(x > 0, x, slope * x)


def _leaky_relu_forward(x: Array, *, slope: float) -> tuple[Array, Array]:
    """y twice: for a slope of 0 or more, y > 0 exactly where x > 0."""
    y = _leaky_relu_plain(x, slope=slope)
    return y, y


def _leaky_relu_backward(y: Array, dy: Array, *, slope: float) -> tuple[Array]:
    """The cotangent dx: dy where x > 0, else slope dy; at 0 the derivative is the slope.

    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    return (jnp.where(y > 0, dy, slope * dy),)


@rule(_leaky_relu_plain, _leaky_relu_forward, _leaky_relu_backward)
def leaky_relu(x: ArrayLike, *, slope: float = 0.01) -> Array:
    """x where x > 0, else slope x, any shape; the derivative at 0 is `slope`, which must be 0 or more.

    Raises: ValueError for integer data, and for a slope that is negative or not a finite number.
    The backward pass: `leaky_relu.backward`.
    """
    if not is_number(slope) or not 0 <= slope < math.inf:
        raise ValueError(f"leaky_relu: slope is {slope!r}; expected a number of 0 or more, such as 0.01.")
    return leaky_relu.apply(floating("leaky_relu", "x", x), slope=float(slope))


def _sigmoid_forward(x: Array) -> tuple[Array, Array]:
    """y twice."""
    y = jax.nn.sigmoid(x)
    return y, y


def _sigmoid_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = 1 / (1 + e⁻ˣ): dy/dx = e⁻ˣ / (1 + e⁻ˣ)² = y (1 - y)."""
    return (dy * (y * (1 - y)),)


@rule(jax.nn.sigmoid, _sigmoid_forward, _sigmoid_backward)
def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + e⁻ˣ), any shape. ValueError for integer data. Its backward: `sigmoid.backward`."""
    return sigmoid.apply(floating("sigmoid", "x", x))


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


def _anew(x: Array) -> Array:
    """x, from which XLA computes anew what the forward already computed from it.

    Otherwise XLA sees that a backward repeats a part of its forward, and keeps every exponential and quotient in an
    array of its own until then, which costs more time on a CPU than to repeat them.
    """
    return jax.lax.optimization_barrier(x)


def _gelu_plain(x: Array, *, approximate: bool) -> Array:
    """x Φ(x), by JAX."""
    return jax.nn.gelu(x, approximate=approximate)


def _gelu_forward(x: Array, *, approximate: bool) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    return _gelu_plain(x, approximate=approximate), x


def _gelu_backward(x: Array, dy: Array, *, approximate: bool) -> tuple[Array]:
    """The cotangent dx of y = x Φ(x), Φ the normal distribution function and φ = Φ' its density.

    By the product rule dy/dx = Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π).

    The tanh form puts Φ(x) ≈ (1 + t) / 2 with t = tanh u, u = √(2/π) (x + a x³), a = 0.044715, so that
    φ(x) ≈ (1 - t²) / 2 · √(2/π) (1 + 3 a x²). Beyond |x| = 10, t is ±1 and φ is 0 in any precision; x is held there,
    so that the powers can't overflow and make 0 · inf.

    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units (GELUs)".
    """
    x = _anew(x)
    if approximate:
        z, root, a = jnp.clip(x, -10, 10), math.sqrt(2 / math.pi), 0.044715
        t = jnp.tanh(root * (z + a * z**3))
        phi, density = (1 + t) / 2, (1 - t * t) / 2 * root * (1 + 3 * a * z * z)
    else:
        phi = jax.scipy.special.erfc(-x * math.sqrt(1 / 2)) / 2
        density = jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return (dy * (phi + x * density),)


@rule(_gelu_plain, _gelu_forward, _gelu_backward)
def gelu(x: ArrayLike, *, approximate: bool = False) -> Array:
    """x Φ(x), any shape; `approximate` takes the tanh form of Φ that the first transformers used.

    Raises: ValueError for integer data. The backward pass and its derivation: `gelu.backward`.
    """
    return gelu.apply(floating("gelu", "x", x), approximate=bool(approximate))


def _silu_forward(x: Array) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    return jax.nn.silu(x), x


def _silu_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = x σ(x): with σ' = σ (1 - σ), dy/dx = σ + x σ (1 - σ).

    Source: Elfwing, Uchibe & Doya 2017, "Sigmoid-weighted linear units"; also called swish.
    """
    x = _anew(x)
    s = jax.nn.sigmoid(x)
    return (dy * (s * (1 + x * (1 - s))),)


@rule(jax.nn.silu, _silu_forward, _silu_backward)
def silu(x: ArrayLike) -> Array:
    """x / (1 + e⁻ˣ), any shape. ValueError for integer data. Its backward: `silu.backward`."""
    return silu.apply(floating("silu", "x", x))


def _softmax_forward(x: Array, *, axis: int) -> tuple[Array, Array]:
    """y twice."""
    y = jax.nn.softmax(x, axis)
    return y, y


def _softmax_backward(y: Array, dy: Array, *, axis: int) -> tuple[Array]:
    """The cotangent dx of y[i] = e^x[i] / Σ_k e^x[k].

    ∂y[i] / ∂x[j] = y[i] (δ[i, j] - y[j]), so dx[j] = Σ_i dy[i] ∂y[i] / ∂x[j] = y[j] (dy[j] - Σ_i dy[i] y[i]).
    Source: Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
    """
    return (y * (dy - (dy * y).sum(axis, keepdims=True)),)


@rule(jax.nn.softmax, _softmax_forward, _softmax_backward)
def softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """e^x over its sum along `axis`: positive, and sums to 1; safe for any finite x.

    Raises: ValueError for integer data or an axis that x does not have. The backward pass: `softmax.backward`.
    """
    x = floating("softmax", "x", x)
    return softmax.apply(x, axis=_axis("softmax", x, axis))


def _log_softmax_forward(x: Array, *, axis: int) -> tuple[Array, Array]:
    """y twice."""
    y = jax.nn.log_softmax(x, axis)
    return y, y


def _log_softmax_backward(y: Array, dy: Array, *, axis: int) -> tuple[Array]:
    """The cotangent dx of y[i] = x[i] - log Σ_k e^x[k].

    ∂y[i] / ∂x[j] = δ[i, j] - e^y[j], so dx[j] = dy[j] - e^y[j] Σ_i dy[i].
    """
    return (dy - jnp.exp(y) * dy.sum(axis, keepdims=True),)


@rule(jax.nn.log_softmax, _log_softmax_forward, _log_softmax_backward)
def log_softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """The logarithm of `softmax`, x - log Σ e^x along `axis`, without taking the logarithm of a rounded 0.

    Raises: ValueError for integer data or an axis that x does not have. The backward pass: `log_softmax.backward`.
    """
    x = floating("log_softmax", "x", x)
    return log_softmax.apply(x, axis=_axis("log_softmax", x, axis))


def _axis(op: str, x: Array, axis: int) -> int:
    if isinstance(axis, bool) or not isinstance(axis, Integral) or not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"{op}: axis is {axis!r}; expected an int that names one of x's {x.ndim} axes (shape {x.shape})."
        )
    return axis % x.ndim
