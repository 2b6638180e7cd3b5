"""Bad input to the losses."""

import jax.numpy as jnp
import numpy as np

from jaxcnn import ops
from tests.ops.errors.arrays import LOGITS, X


def softmax_loss(logits, labels, **options):
    return lambda: ops.softmax_cross_entropy(jnp.asarray(logits), labels, **options)


def sigmoid_loss(logits, labels):
    return lambda: ops.sigmoid_cross_entropy(logits, labels)


BAD = {
    "softmax_cross_entropy-integers": (softmax_loss(LOGITS.astype(int), [0, 1]), ["logits has dtype int"]),
    "softmax_cross_entropy-rank": (softmax_loss(X, [0, 1]), ["logits has shape (2, 8, 6, 3)", "(n, k)"]),
    "softmax_cross_entropy-labels": (
        softmax_loss(LOGITS, np.zeros(3, int)),
        ["labels has shape (3,)", "(2,)", "(2, 3)"],
    ),
    "softmax_cross_entropy-column": (softmax_loss(LOGITS, np.zeros((2, 1), int)), ["labels has shape (2, 1)"]),
    "softmax_cross_entropy-floats": (
        softmax_loss(LOGITS, np.zeros(2, np.float32)),
        ["dtype float32", "must be integers", "labels.astype(jnp.int32)"],
    ),
    "softmax_cross_entropy-too-large": (
        softmax_loss(LOGITS, [0, 3]),
        ["labels holds 3", "classes 0 to 2", "labels - 1", "more outputs"],
    ),
    "softmax_cross_entropy-negative": (softmax_loss(LOGITS, [-1, 2]), ["labels holds -1", "classes 0 to 2"]),
    "softmax_cross_entropy-smoothing": (
        softmax_loss(LOGITS, [0, 1], label_smoothing=1.1),
        ["label_smoothing is 1.1", "from 0 to 1"],
    ),
    "softmax_cross_entropy-weights": (
        softmax_loss(LOGITS, [0, 1], class_weights=[1.0, 2]),
        ["class_weights has shape (2,) and logits (2, 3)", "expected one weight for each class, (3,)"],
    ),
    "softmax_cross_entropy-ignored-unknown": (
        softmax_loss(LOGITS, [-1, 7], ignore_index=-1),
        ["labels holds 7", "classes 0 to 2"],
    ),
    "softmax_cross_entropy-ignored-soft": (
        softmax_loss(LOGITS, LOGITS, ignore_index=0),
        ["ignore_index is 0 and labels has shape (2, 3)", "rows of zeros"],
    ),
    "softmax_cross_entropy-ignored-float": (
        softmax_loss(LOGITS, [0, 1], ignore_index=-1.0),
        ["ignore_index is -1.0", "expected an int such as -1 or 255, or None"],
    ),
    "nll-rank": (lambda: ops.nll(X, [0, 1]), ["log_p has shape (2, 8, 6, 3)", "(n, k)"]),
    "nll-labels": (
        lambda: ops.nll(LOGITS, np.zeros(3, int)),
        ["labels has shape (3,) and log_p (2, 3)", "classes of shape (2,)"],
    ),
    "nll-too-large": (lambda: ops.nll(LOGITS, [0, 3]), ["labels holds 3, but log_p of shape (2, 3)", "0 to 2"]),
    "nll-floats": (lambda: ops.nll(LOGITS, np.zeros(2, np.float32)), ["dtype float32", "must be integers"]),
    "nll-weights": (
        lambda: ops.nll(LOGITS, [0, 1], class_weights=[1.0, 2]),
        ["class_weights has shape (2,) and log_p (2, 3)", "(3,)"],
    ),
    "nll-ignored-soft": (lambda: ops.nll(LOGITS, LOGITS, ignore_index=0), ["ignore_index is 0", "rows of zeros"]),
    "sigmoid_cross_entropy-classes": (
        sigmoid_loss(LOGITS, np.array([0, 1])),
        ["logits has shape (2, 3) and labels (2,)", "jax.nn.one_hot(labels, 3)"],
    ),
    "sigmoid_cross_entropy-column": (
        sigmoid_loss(LOGITS[:, :1], np.zeros(2, np.float32)),
        ["logits has shape (2, 1) and labels (2,)", "labels.reshape(logits.shape)"],
    ),
    "sigmoid_cross_entropy-range": (sigmoid_loss(LOGITS, LOGITS + 2), ["labels go from 2.0 to 2.0", "0 to 1"]),
    "sigmoid_cross_entropy-nan": (sigmoid_loss(LOGITS, LOGITS + np.nan), ["labels go from nan"]),
    "sigmoid_cross_entropy-scalar": (sigmoid_loss(0.0, 1.0), ["logits has shape ()", "(n, ...)"]),
    "sigmoid_cross_entropy-weight": (
        lambda: ops.sigmoid_cross_entropy(LOGITS, LOGITS, np.ones(2)),
        ["positive_weight has shape (2,) and logits (2, 3)", "expected one weight, ()"],
    ),
    "focal-alpha": (lambda: ops.focal(LOGITS, LOGITS, alpha=2), ["alpha is 2", "from 0 to 1, or None"]),
    "focal-gamma": (lambda: ops.focal(LOGITS, LOGITS, gamma=-1), ["gamma is -1", "0 or more, such as 2.0"]),
    "focal-range": (lambda: ops.focal(LOGITS, LOGITS - 1), ["labels go from -1.0 to -1.0", "0 to 1"]),
    "hinge-zeros": (
        lambda: ops.hinge(LOGITS, LOGITS.astype(int)),
        ["labels holds 0", "expected 1 and -1", "2 * labels - 1"],
    ),
    "hinge-shapes": (lambda: ops.hinge(LOGITS, np.ones(2)), ["scores has shape (2, 3) and labels (2,)"]),
    "multi_margin-rank": (lambda: ops.multi_margin(X, [0, 1]), ["scores has shape (2, 8, 6, 3)", "(n, k)"]),
    "multi_margin-labels": (
        lambda: ops.multi_margin(LOGITS, LOGITS),
        ["labels has shape (2, 3) and scores (2, 3)", "integer classes of shape (2,)"],
    ),
    "multi_margin-floats": (
        lambda: ops.multi_margin(LOGITS, np.zeros(2)),
        ["dtype float", "must be integers", "labels.astype(jnp.int32)"],
    ),
    "multi_margin-unknown": (lambda: ops.multi_margin(LOGITS, [0, 3]), ["labels holds 3", "classes 0 to 2"]),
    "multi_margin-margin": (
        lambda: ops.multi_margin(LOGITS, [0, 1], margin=float("inf")),
        ["margin is inf", "finite number"],
    ),
    "multi_margin-text": (lambda: ops.multi_margin(LOGITS, [0, 1], margin="1"), ["margin is '1'"]),
    "multi_margin-p": (lambda: ops.multi_margin(LOGITS, [0, 1], p=3), ["p is 3", "expected 1 or 2"]),
    "triplet-rank": (lambda: ops.triplet(X, X, X), ["anchor has shape (2, 8, 6, 3)", "(n, d)"]),
    "triplet-shapes": (
        lambda: ops.triplet(LOGITS, LOGITS, LOGITS[:1]),
        ["anchor has shape (2, 3) and negative (1, 3)"],
    ),
    "triplet-margin": (lambda: ops.triplet(LOGITS, LOGITS, LOGITS, margin=-1), ["margin is -1", "positive number"]),
    "triplet-p": (lambda: ops.triplet(LOGITS, LOGITS, LOGITS, p=0), ["p is 0", "positive number, such as 2"]),
    "triplet-p-nan": (lambda: ops.triplet(LOGITS, LOGITS, LOGITS, p=float("nan")), ["p is nan", "or math.inf"]),
    "triplet-epsilon": (lambda: ops.triplet(LOGITS, LOGITS, LOGITS, epsilon=-1), ["epsilon is -1", "0 or more"]),
    "kl_divergence-negative": (
        lambda: ops.kl_divergence(LOGITS, LOGITS - 1),
        ["q holds -1.0", "not negative", "jnp.exp(q)"],
    ),
    "kl_divergence-shapes": (lambda: ops.kl_divergence(LOGITS, LOGITS[0]), ["log_p has shape (2, 3) and q (3,)"]),
    "l1-shapes": (lambda: ops.l1(LOGITS, LOGITS[:, 0]), ["prediction has shape (2, 3) and target (2,)"]),
    "huber-delta": (lambda: ops.huber(LOGITS, LOGITS, delta=0), ["delta is 0", "positive number"]),
    "mse-shapes": (lambda: ops.mse(LOGITS[:, :1], LOGITS[:, 0]), ["prediction has shape (2, 1) and target (2,)"]),
    "mse-integers": (lambda: ops.mse(LOGITS, np.zeros((2, 3), int)), ["mse: target has dtype int"]),
}
