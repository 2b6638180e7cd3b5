"""Bad input to the activations."""

import jax.numpy as jnp

from jaxcnn import ops
from tests.ops.errors.arrays import LOGITS, PIXELS, X

ALONE = [
    *("relu", "relu6", "leaky_relu", "elu", "celu", "selu", "sigmoid", "hard_sigmoid", "tanh", "softsign", "softplus"),
    *("gelu", "silu", "hard_swish", "mish", "softmax", "log_softmax", "glu"),
]


def integers(name):
    return lambda: getattr(ops, name)(PIXELS)


BAD = {
    **{f"{name}-integers": (integers(name), [f"{name}: x has dtype uint8; expected floats"]) for name in ALONE},
    "prelu-integers": (lambda: ops.prelu(PIXELS, jnp.ones(3)), ["prelu: x has dtype uint8; expected floats"]),
    "relu-none": (lambda: ops.relu(None), ["x is None", "expected an array of floats"]),
    "relu-ragged": (
        lambda: ops.relu([jnp.ones(2), jnp.ones(3)]),
        ["x is [Array(", "expected an array of floats. JAX: ", "shape"],
    ),
    "relu-text": (lambda: ops.relu("abc"), ["x is 'abc'", "expected an array of floats"]),
    "prelu-slope": (lambda: ops.prelu(X, jnp.ones(4)), ["slope has shape (4,)", "(3,)"]),
    "prelu-axis": (lambda: ops.prelu(X, jnp.ones((2, 1, 1))), ["slope has shape (2, 1, 1)", "is x's or 1"]),
    "prelu-rank": (lambda: ops.prelu(X[0, 0], jnp.ones((1, 6, 3))), ["slope has shape (1, 6, 3) and x (6, 3)"]),
    "softplus-beta": (lambda: ops.softplus(X, beta=0), ["beta is 0", "positive number"]),
    "softplus-threshold": (lambda: ops.softplus(X, threshold="20"), ["threshold is '20'", "such as 20, or None"]),
    "softplus-nan": (lambda: ops.softplus(X, threshold=float("nan")), ["threshold is nan", "finite number"]),
    "hard_sigmoid-slope": (lambda: ops.hard_sigmoid(X, slope=-0.2), ["slope is -0.2", "positive number"]),
    "hard_sigmoid-offset": (lambda: ops.hard_sigmoid(X, offset=float("inf")), ["offset is inf", "finite number"]),
    "elu-alpha": (lambda: ops.elu(X, alpha=-1.0), ["alpha is -1.0", "positive number"]),
    "celu-alpha": (lambda: ops.celu(X, alpha=0), ["alpha is 0", "positive number"]),
    "leaky_relu-negative": (lambda: ops.leaky_relu(X, slope=-0.1), ["slope is -0.1", "0 or more"]),
    "leaky_relu-text": (lambda: ops.leaky_relu(X, slope="0.1"), ["slope is '0.1'"]),
    "leaky_relu-bool": (lambda: ops.leaky_relu(X, slope=True), ["slope is True"]),
    "leaky_relu-nan": (lambda: ops.leaky_relu(X, slope=float("nan")), ["slope is nan"]),
    "softmax-axis": (lambda: ops.softmax(LOGITS, axis=2), ["softmax: axis is 2", "one of x's 2 axes (shape (2, 3))"]),
    "softmax-scalar": (lambda: ops.softmax(1.0), ["axis is -1", "0 axes (shape ())"]),
    "glu-odd": (lambda: ops.glu(LOGITS), ["x has 3 entries along axis 1", "shape (2, 3)", "an even number"]),
    "glu-axis": (lambda: ops.glu(LOGITS, axis=2), ["glu: axis is 2", "one of x's 2 axes"]),
    "log_softmax-axis": (lambda: ops.log_softmax(LOGITS, axis=-3), ["log_softmax: axis is -3"]),
}
