"""Occlusion: by how much the score falls when a part of the picture is covered."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.explain.scores import Classes, explanation, scores, spread
from jaxcnn.layers import Layer, Params, State
from jaxcnn.ops.geometry import PerAxis, per_axis

TOGETHER = 16  # pictures that the network sees at once, about


@explanation("size", "stride")
def occlusion(
    network: Layer,
    params: Params,
    state: State,
    x: Float[Array, "n h w c"],
    classes: Classes = None,
    *,
    size: PerAxis | None = None,
    stride: PerAxis | None = None,
    baseline: ArrayLike = 0.0,
) -> Float[Array, "n h w"]:
    """At each place the mean, over the windows that cover it, of y_k(x) - y_k(x without what lies in the window).

    Args:
      network, params, state, x: `network(params, state, x)` are logits y (n, classes), in evaluation.
      classes: k, one for all pictures or (n,); by default each picture's top class.
      size: of the window in pixels, one for both axes or (h, w); by default a seventh of the picture.
      stride: from one window to the next, at most the size; by default half of it. The last ones may reach beyond the
        picture.
      baseline: what windows are covered with, a number, one for each channel, or pictures. 0 is the mean colour of
        pixels that were normalised.

    Returns: (n, h, w), below 0 where what is covered speaks against the class.

    Raises: ValueError for a window that is larger than the picture, for a stride that leaves gaps, for a baseline of
      another shape, and what `saliency` raises.

    Source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 4.2.
    """
    lengths = x.shape[1:3]
    window = per_axis("occlusion", "size", tuple(max(1, w // 7) for w in lengths) if size is None else size, 2)
    step = per_axis("occlusion", "stride", tuple(-(-w // 2) for w in window) if stride is None else stride, 2)
    if any(w > length for w, length in zip(window, lengths, strict=True)):
        raise ValueError(f"occlusion: size is {window}, larger than the picture, {lengths}.")
    if any(s > w for s, w in zip(step, window, strict=True)):
        raise ValueError(f"occlusion: stride is {step}, larger than the window, {window}, and would leave gaps.")
    cover = spread("occlusion", "baseline", baseline, x)
    whole = scores(network, params, state, x, classes)
    along = [np.arange(0, length - w + s, s) for length, w, s in zip(lengths, window, step, strict=True)]
    corners = np.stack(np.meshgrid(*along, indexing="ij"), -1).reshape(-1, 2)
    together = max(1, TOGETHER // max(1, x.shape[0])) if isinstance(x.shape[0], int) else 1
    nowhere = np.full((-len(corners) % together, 2), lengths)
    chunks = jnp.asarray(np.concatenate([corners, nowhere]).reshape(-1, together, 2))

    def add(total: Array, corners: Array) -> tuple[Array, None]:
        rows, columns = (
            (jnp.arange(length) >= at[:, None]) & (jnp.arange(length) < at[:, None] + w)
            for length, at, w in zip(lengths, corners.T, window, strict=True)
        )
        inside = rows[:, None, :, None, None] & columns[:, None, None, :, None]
        pictures = jnp.where(inside, cover, x).reshape(-1, *x.shape[1:])
        without = scores(network, params, state, pictures, jnp.tile(classes, together)).reshape(together, x.shape[0])
        fall = (whole - without)[:, :, None, None]
        return total + jnp.where(inside[..., 0], fall, 0).sum(0), None

    total, _ = jax.lax.scan(add, jnp.zeros_like(x[..., 0]), chunks)
    covering = [
        ((at <= np.arange(length)[:, None]) & (np.arange(length)[:, None] < at + w)).sum(1)
        for length, at, w in zip(lengths, along, window, strict=True)
    ]
    return total / jnp.asarray(np.outer(*covering), x.dtype)
