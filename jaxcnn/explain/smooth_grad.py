"""SmoothGrad: gradients of noisy pictures, averaged."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.explain.scores import Classes, explanation, gradient
from jaxcnn.layers import Layer, Params, State
from jaxcnn.ops.geometry import count


@explanation("samples")
def smooth_grad(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    classes: Classes = None,
    *,
    key: Array,
    samples: int = 50,
    noise: ArrayLike = 0.15,
) -> Float[Array, "n h w c"]:
    """The mean of ∂y_k / ∂x at x + σ ε over `samples` draws of ε, normal.

    Args:
      network, params, state, x: `network(params, state, x)` are logits y (n, classes), in evaluation.
      classes: k, one for all pictures or (n,); by default the top class of each picture without noise.
      key: such as `jax.random.key(0)`; draw i is `jax.random.normal(jax.random.fold_in(key, i), x.shape, x.dtype)`.
      samples: draws.
      noise: σ as a share of what lies between a picture's least and largest value; the paper has 0.1 to 0.2.

    Returns: of x's shape, with its sign; the paper shows its absolute value.

    Raises: ValueError for samples below 1, and what `saliency` raises.

    Source: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".
    """
    count("smooth_grad", "samples", samples)
    sigma = jnp.asarray(noise, x.dtype) * (x.max((1, 2, 3), keepdims=True) - x.min((1, 2, 3), keepdims=True))

    def add(total: Array, i: Array) -> tuple[Array, None]:
        draw = jax.random.normal(jax.random.fold_in(key, i), x.shape, x.dtype)
        return total + gradient(network, params, state, x + sigma * draw, classes), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(x), jnp.arange(samples))
    return total / samples
