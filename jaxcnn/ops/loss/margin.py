"""Losses of scores that are 0 once a margin is kept: one number for each example of the batch.

Where a margin is kept just so, the gradient is 0: the loss has reached its least and asks for no more.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import accumulator, floating, known_values, number, same_dtype, same_shape, shape_only
from jaxcnn.ops.loss.labels import class_scores, classes, one_hot
from jaxcnn.ops.loss.per_example import PerExample, counted, example_mean, hinged, share
from jaxcnn.ops.rule import rule


def _hinge_plain(scores: Array, labels: Array) -> PerExample:
    """The mean of max(0, 1 - labels scores)."""
    wide = accumulator(scores)
    return example_mean(hinged(1 - labels.astype(wide) * scores.astype(wide)), scores)


def _hinge_forward(scores: Array, labels: Array) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    return _hinge_plain(scores, labels), (scores, labels)


def _hinge_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array]:
    """The cotangents (dscores, dlabels) of the mean over m entries of max(0, 1 - t s).

    Where 1 - t s > 0 the derivative for s is -t and for t is -s, elsewhere both are 0. Both times dloss / m.
    """
    scores, labels = residuals
    s, t = scores.astype(accumulator(scores)), labels.astype(accumulator(scores))
    pull = jnp.where(1 - t * s <= 0, 0, -share(dloss, scores))
    return (pull * t).astype(scores.dtype), (pull * counted(s, pull)).astype(labels.dtype)


@rule(_hinge_plain, _hinge_forward, _hinge_backward)
def hinge(scores: ArrayLike, labels: ArrayLike) -> Array:
    """max(0, 1 - labels scores) for yes-or-no labels of 1 and -1, averaged over all axes but the first.

    For one class out of many use `multi_margin`. Source: Cortes & Vapnik 1995, "Support-vector networks".

    Args:
      scores: (n, ...), of any size: their sign is the decision.
      labels: of the same shape, 1 or -1; integers will do.

    Returns: (n,), one loss for each example.

    Raises: ValueError for integer scores, shapes that differ, or other labels where they can be looked at.

    The backward pass and its derivation: `hinge.backward`.
    """
    scores, given, labels = floating("hinge", "scores", scores), labels, jnp.asarray(labels)
    same_shape("hinge", "scores", scores, "labels", labels)
    values = known_values(given)
    if values is not None and not (abs(values) == 1).all():
        raise ValueError(
            f"hinge: labels holds {values[abs(values) != 1].flat[0]}; expected 1 and -1. For labels of 0 and 1 write "
            "2 * labels - 1."
        )
    return hinge.apply(*same_dtype(scores, labels.astype(jnp.result_type(labels, scores))))


def _multi_plain(scores: Float[Array, "n k"], labels: Array, *, margin: float, p: int) -> PerExample:
    """1/k Σ_i max(0, margin - scores[label] + scores[i])^p over the other classes i."""
    return (_slack(scores, labels, margin) ** p).mean(-1).astype(scores.dtype)


def _multi_forward(scores: Float[Array, "n k"], labels: Array, *, margin: float, p: int) -> tuple[PerExample, Any]:
    """The loss, and k g with its sum: for p = 1 one bit for each class, and how many of them are set."""
    slack = _slack(scores, labels, margin)
    slope = slack != 0 if p == 1 else 2 * slack
    total = slope.astype(slack.dtype).sum(-1, keepdims=True)
    return (slack**p).mean(-1).astype(scores.dtype), (slope, total, labels, shape_only(scores))


def _multi_backward(residuals: Any, dloss: PerExample, *, margin: float, p: int) -> tuple[Array, None]:
    """The cotangent dscores of 1/k Σ_i h[i]^p, h[i] = max(0, margin - x[y] + x[i]) for the classes i other than y.

    Where h[i] > 0, ∂h[i] / ∂x[i] = 1 and ∂h[i] / ∂x[y] = -1. So with g[i] = 1/k there for p = 1, 2 h[i] / k for p = 2,

        dscores[i] = dloss g[i],    dscores[y] = -dloss Σ_i g[i]:

    what pushes the others down pulls the label's own score up. Integer labels have no cotangent.
    """
    slope, total, labels, scores = residuals
    each = share(dloss, scores)
    own = one_hot(labels, scores.shape[-1], each.dtype)
    dscores = each * slope - own * counted(each * total, own)
    return dscores.astype(scores.dtype), None


def _slack(scores: Array, labels: Array, margin: float) -> Array:
    """By how much each other class is too near; 0 at the label's own."""
    wide = scores.astype(accumulator(scores))
    target = one_hot(labels, wide.shape[-1], wide.dtype)
    own = (target * counted(wide, target)).sum(-1, keepdims=True)
    return jnp.where(target == 1, 0, hinged(margin - own + wide))


@rule(_multi_plain, _multi_forward, _multi_backward)
def multi_margin(scores: ArrayLike, labels: ArrayLike, *, margin: float = 1.0, p: int = 1) -> Array:
    """The hinge loss of one class out of many: 1/k Σ_i max(0, margin - scores[label] + scores[i])^p, i ≠ label.

    As PyTorch's `multi_margin_loss`. Source: Weston & Watkins 1999, "Support vector machines for multi-class pattern
    recognition".

    Args:
      scores: (n, k), of any size.
      labels: integer classes (n,), 0 to k - 1.
      margin: by how much the label's score should exceed each other; below 0, by how much it may fall short.
      p: 1 or 2.

    Returns: (n,), one loss for each example.

    Raises: ValueError for shapes or dtypes that do not match, options outside their range, or a label that is no class.
      Where the labels can't be looked at (under `jit`), that example's loss and gradient are NaN.

    The backward pass and its derivation: `multi_margin.backward`.
    """
    op = "multi_margin"
    scores = class_scores(op, "scores", scores)
    margin = number(op, "margin", margin, "a finite number, such as 1.0")
    p = int(number(op, "p", p, "1 or 2", lambda v: v in (1, 2)))
    if (shape := jnp.asarray(labels).shape) != scores.shape[:1]:
        raise ValueError(
            f"{op}: labels has shape {shape} and scores {scores.shape}; expected integer classes of shape "
            f"{scores.shape[:1]}."
        )
    return multi_margin.apply(scores, classes(op, "scores", scores, labels), margin=margin, p=p)
