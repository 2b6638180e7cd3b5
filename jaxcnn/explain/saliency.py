"""Saliency: how much the score moves when a pixel does."""

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcnn.explain.scores import Classes, explanation, gradient
from jaxcnn.layers import Layer, Params, State


@explanation("absolute")
def saliency(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    classes: Classes = None,
    *,
    absolute: bool = True,
) -> Float[Array, "n h w c"]:
    """|∂y_k / ∂x|, the slope of class k's logit y_k at each value of x.

    Args:
      network, params, state, x: `network(params, state, x)` are logits (n, classes), in evaluation.
      classes: k, one for all pictures or (n,); by default each picture's top class.
      absolute: without it the gradient has its sign.

    Returns: of x's shape. The paper's map is the largest of the channels, `.max(-1)`.

    Raises: ValueError for an x that is no batch of pictures, for classes that there are not, and for a network that
      does not end in logits.

    Source: Simonyan, Vedaldi & Zisserman 2014, "Deep inside convolutional networks", section 3.
    """
    dx = gradient(network, params, state, x, classes)
    return jnp.abs(dx) if absolute else dx
