"""Integrated gradients: the score's rise from a baseline, shared out among the pixels."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.explain.scores import Classes, explanation, gradient, scores, spread
from jaxcnn.layers import Layer, Params, State
from jaxcnn.ops.check import positive
from jaxcnn.ops.geometry import count


class IntegratedGradients(NamedTuple):
    """What `integrated_gradients` returns.

    Attributes:
      attributions: (n, h, w, c), each value's share.
      rise: (n,), y(x) - y(baseline), which the shares add up to but for the error of the integral.
    """

    attributions: Array
    rise: Array

    @property
    def convergence_delta(self) -> Float[Array, " n"]:
        """The sum of each picture's shares, less its rise: how far they are from complete."""
        return self.attributions.sum((1, 2, 3)) - self.rise

    def check(self, tolerance: float = 0.05) -> None:
        """ValueError unless each picture's shares add up to its rise, within so much of it."""
        positive("check", "tolerance", tolerance)
        delta, rise = np.asarray(self.convergence_delta, np.float64), np.asarray(self.rise, np.float64)
        for i in np.flatnonzero(~(np.abs(delta) <= tolerance * np.abs(rise))):
            raise ValueError(
                f"integrated_gradients: of picture {i} the attributions add up to {rise[i] + delta[i]:.4g}, and the "
                f"score rises by {rise[i]:.4g} from the baseline, more than {tolerance:.2g} of it apart. Take more "
                "steps."
            )


@explanation("steps")
def integrated_gradients(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    classes: Classes = None,
    *,
    baseline: ArrayLike = 0.0,
    steps: int = 50,
) -> IntegratedGradients:
    """(x - x') ∫ ∂y_k / ∂x at x' + t (x - x') dt, t from 0 to 1, from a baseline x' that shows nothing.

    The integral is Gauss and Legendre's sum at `steps` points. The shares add up to y_k(x) - y_k(x'), by the theorem of
    gradients along a path, which the paper calls completeness: `.check()` holds them to it.

    Args:
      network, params, state, x: `network(params, state, x)` are logits y (n, classes), in evaluation.
      classes: k, one for all pictures or (n,); by default each picture's top class.
      baseline: x', a number, one for each channel, or pictures. 0 is the mean colour of pixels that were normalised;
        black is -mean / std.
      steps: gradients that are taken.

    Raises: ValueError for a baseline of another shape, steps below 1, and what `saliency` raises.

    Source: Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks", equation 1.
    """
    count("integrated_gradients", "steps", steps)
    start = spread("integrated_gradients", "baseline", baseline, x)
    points, weights = np.polynomial.legendre.leggauss(steps)  # for an integral from -1 to 1

    def add(total: Array, step: tuple[Array, Array]) -> tuple[Array, None]:
        at, weight = step
        return total + weight * gradient(network, params, state, start + at * (x - start), classes), None

    along = jnp.asarray((points + 1) / 2, x.dtype), jnp.asarray(weights / 2, x.dtype)
    mean, _ = jax.lax.scan(add, jnp.zeros_like(x), along)
    above, below = (scores(network, params, state, at, classes) for at in (x, start))
    return IntegratedGradients((x - start) * mean, above - below)
