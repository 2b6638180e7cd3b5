"""Activations, over values of both signs, exact zeros and the far ends."""

import numpy as np

from tests.ops.cases.case import Case, away_from_zero, normal

FAR = np.array([-700.0, -40.0, -11.0, -10.0, -3.0, -1e-8, 1e-8, 3.0, 10.0, 11.0, 40.0, 700.0])
KINKS = np.array([[0.0, -0.0, 2.0], [-3.0, 3.0, 6.0]])

ELEMENTWISE = [
    ("relu", {}),
    ("leaky_relu", {}),
    ("leaky_relu", {"slope": 0.3}),
    ("leaky_relu", {"slope": 0.0}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("gelu", {}),
    ("gelu", {"approximate": True}),
    ("silu", {}),
    ("relu6", {}),
    ("elu", {}),
    ("elu", {"alpha": 0.4}),
    ("celu", {}),
    ("celu", {"alpha": 2.5}),
    ("selu", {}),
    ("softplus", {}),
    ("softplus", {"beta": 2.5}),
    ("softplus", {"beta": 0.5, "threshold": 1}),
    ("softsign", {}),
    ("mish", {}),
    ("hard_sigmoid", {}),
    ("hard_sigmoid", {"slope": 0.2}),
    ("hard_sigmoid", {"slope": 0.25, "offset": 0.25}),
    ("hard_swish", {}),
]


def _cases():
    for rule, options in ELEMENTWISE:
        suffix = "".join(f"-{k}-{v}" for k, v in options.items())
        yield Case(rule, f"2d{suffix}", away_from_zero((3, 5)), options)
        yield Case(rule, f"far{suffix}", lambda rng: (FAR,), options, smooth=False)
        yield Case(rule, f"kinks{suffix}", lambda rng: (KINKS,), options, smooth=False)
    yield Case("prelu", "one-slope", lambda rng: (*away_from_zero((3, 5))(rng), np.array(0.3)))
    yield Case("prelu", "slope-per-channel", lambda rng: (*away_from_zero((2, 3, 4))(rng), rng.standard_normal(4)))
    for slope in [(2, 3, 1), (3, 1), (1, 4), (2, 1, 1), (1, 1, 1), (3, 4)]:
        name = f"slope-{'x'.join(map(str, slope))}"
        yield Case("prelu", name, lambda rng, s=slope: (*away_from_zero((2, 3, 4))(rng), rng.standard_normal(s)))
    yield Case("prelu", "zeros", lambda rng: (KINKS, np.array([-0.5, 0.25, 1.0])), smooth=False)
    yield Case("glu", "rows", normal((3, 6)))
    yield Case("glu", "axis-1", normal((2, 4, 3)), {"axis": 1})
    yield Case("glu", "vector", normal((2,)), {"axis": 0})
    yield Case("glu", "far", lambda rng: (np.stack([FAR, FAR[::-1]]),), smooth=False)
    for rule in ("softmax", "log_softmax"):
        yield Case(rule, "rows", normal((3, 5)))
        yield Case(rule, "axis-1", normal((2, 3, 4)), {"axis": 1})
        yield Case(rule, "one-class", normal((3, 1)))
        yield Case(rule, "vector", normal((4,)), {"axis": 0})
        yield Case(rule, "far", lambda rng: (np.stack([FAR, -FAR]),), smooth=False)


CASES = list(_cases())
