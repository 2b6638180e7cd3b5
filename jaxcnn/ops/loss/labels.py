"""Labels that are integers: classes, and the scores they belong to."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import floating, known_values


def one_hot(labels: Array, classes: int, dtype: jnp.dtype) -> Float[Array, "n k"]:
    """Integer labels (n,) as rows that hold a single 1; a row of NaN for a label that is no class."""
    labels = labels.astype(jnp.int32)  # uint8 can't be compared with 256
    known = (labels >= 0) & (labels < classes)
    return jnp.where(known[:, None], jax.nn.one_hot(labels, classes, dtype=dtype), jnp.nan)


def class_scores(op: str, argument: str, x: ArrayLike) -> Float[Array, "n k"]:
    """`x` as an array of floats (n, k), k >= 1; ValueError otherwise."""
    scores = floating(op, argument, x)
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError(
            f"{op}: {argument} has shape {scores.shape}; expected (n, k), one row of k class scores for each example."
        )
    return scores


def classes(op: str, argument: str, scores: Array, given: ArrayLike, ignored: int | None = None) -> Array:
    """Labels (n,) for scores (n, k): integers from 0 to k - 1, or `ignored`; ValueError otherwise."""
    labels = jnp.asarray(given)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"{op}: labels has shape {labels.shape} and dtype {labels.dtype}; classes must be integers. Write "
            "labels.astype(jnp.int32)."
        )
    values = known_values(given)
    if values is None:
        return labels
    unknown = values[((values < 0) | (values >= scores.shape[1])) & (values != ignored)]
    if unknown.size:
        raise ValueError(
            f"{op}: labels holds {unknown[0]}, but {argument} of shape {scores.shape} have the classes 0 to "
            f"{scores.shape[1] - 1}. Labels that count from 1 need labels - 1; else give the network more outputs."
        )
    return labels
