"""The dropouts, by typed keys and by raw ones."""

import jax

from tests.ops.cases.case import Case


def _with_key(shape, make):
    return lambda rng: (rng.standard_normal(shape), make(7))


def _cases():
    yield Case("dropout", "typed-key", _with_key((3, 4, 5), jax.random.key), {"rate": 0.4})
    yield Case("dropout", "raw-key", _with_key((40,), jax.random.PRNGKey), {"rate": 0.9})
    yield Case("dropout", "rate-0", _with_key((3, 4), jax.random.key), {"rate": 0})
    for name, shape, options in [
        ("1d", (4, 5, 6), {"rate": 0.4}),
        ("2d", (3, 2, 3, 5), {"rate": 0.5}),
        ("3d", (2, 2, 1, 2, 4), {"rate": 0.5}),
        ("nchw", (3, 5, 3, 2), {"rate": 0.5, "layout": "NCHW"}),
        ("rate-0", (2, 5, 3, 2), {"rate": 0, "layout": "NCHW"}),
    ]:
        yield Case("spatial_dropout", name, _with_key(shape, jax.random.key), options)
    yield Case("spatial_dropout", "raw-key", _with_key((4, 5, 6), jax.random.PRNGKey), {"rate": 0.6})
    for name, shape in [("vector", (20,)), ("rows", (9, 3)), ("images", (8, 3, 2, 2))]:
        yield Case("stochastic_depth", name, _with_key(shape, jax.random.key), {"rate": 0.5})
    yield Case("stochastic_depth", "raw-key", _with_key((9, 3), jax.random.PRNGKey), {"rate": 0.3})
    yield Case("stochastic_depth", "rate-0", _with_key((3, 4), jax.random.key), {"rate": 0})


CASES = list(_cases())
