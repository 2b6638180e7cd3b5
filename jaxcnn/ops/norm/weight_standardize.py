"""Weight standardization: zero mean and unit variance for the weights of every output channel."""

from __future__ import annotations

import math
from typing import Any

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import accumulator, epsilon_of, floating
from jaxcnn.ops.norm.standardize import standardized, standardized_back
from jaxcnn.ops.rule import rule

Kernel = Float[Array, "*window i o"]


def _inputs(kernel: Array) -> tuple[int, ...]:
    """The axes that one output channel sums over."""
    return tuple(range(kernel.ndim - 1))


def _plain(kernel: Kernel, gain: Float[Array, " o"] | None, *, epsilon: float) -> Kernel:
    """y = gain (kernel - mean) / √(var + ε), mean and var over all that an output channel sums over."""
    unit, _ = standardized(kernel.astype(accumulator(kernel)), _inputs(kernel), epsilon)
    return (unit if gain is None else unit * gain).astype(kernel.dtype)


def _forward(kernel: Kernel, gain: Array | None, *, epsilon: float) -> tuple[Kernel, Any]:
    """y, and the arguments: the statistics of a kernel are cheap to take again."""
    return _plain(kernel, gain, epsilon=epsilon), (kernel, gain)


def _backward(residuals: Any, dy: Kernel, *, epsilon: float) -> tuple[Kernel, Array | None]:
    """The cotangents (dkernel, dgain) of y[k, o] = gain[o] u[k, o], k running over the window and the input channels.

    du = gain dy, and each output channel is standardised alone: dkernel is that of `standardized_back`, m being the
    fan-in. The gain serves all k: dgain[o] = Σ_k dy[k, o] u[k, o].

    So dkernel is orthogonal to 1 and, but for ε, to the kernel: a step along it neither shifts nor stretches a channel.
    Source: Qiao et al. 2019, "Micro-batch training with batch-channel normalization and weight standardization",
    equations 5 to 7; the gain is that of Brock et al. 2021, "High-performance large-scale image recognition without
    normalization", equation 2.
    """
    kernel, gain = residuals
    axes, wide = _inputs(kernel), dy.astype(accumulator(dy))
    unit, r = standardized(kernel.astype(accumulator(kernel)), axes, epsilon)
    dkernel = standardized_back(unit, r, wide if gain is None else wide * gain, axes).astype(kernel.dtype)
    return dkernel, None if gain is None else (wide * unit).sum(axes).astype(gain.dtype)


@rule(_plain, _forward, _backward)
def weight_standardize(kernel: ArrayLike, gain: ArrayLike | None = None, *, epsilon: float = 1e-5) -> Array:
    """Give the weights of every output channel mean 0 and variance 1 (Qiao et al. 2019); then convolve with them.

    Args:
      kernel: (*window, in, out), as `conv` and `dense` take it; with groups the mean is over an output's own inputs.
      gain: (out,), multiplies each output channel. NFNets (Brock et al. 2021) learn g and pass g / √m,
        m being the fan-in.
      epsilon: added to the variance, which is the biased one.

    Raises: ValueError for a kernel of rank below 2, integer data, a gain that is not one per output, an epsilon
      below 0, and a single weight for each output: it would be 0 whatever it is.

    The backward pass: `weight_standardize.backward`, and `jaxcnn.ops.norm.standardize.standardized_back`.
    """
    op = "weight_standardize"
    kernel = floating(op, "kernel", kernel)
    gain = None if gain is None else floating(op, "gain", gain)
    if kernel.ndim < 2:
        raise ValueError(f"{op}: kernel has shape {kernel.shape}; expected (*window, in, out).")
    if math.prod(kernel.shape[:-1]) < 2:
        raise ValueError(
            f"{op}: kernel has shape {kernel.shape}, fewer than 2 weights for each output channel, which have no "
            "variance: the result would not depend on them. Leave such a kernel as it is."
        )
    if gain is not None and gain.shape != kernel.shape[-1:]:
        raise ValueError(
            f"{op}: gain has shape {gain.shape}; expected {kernel.shape[-1:]}, one for each output channel of the "
            f"kernel, shape {kernel.shape}."
        )
    return weight_standardize.apply(kernel, gain, epsilon=epsilon_of(op, epsilon))
