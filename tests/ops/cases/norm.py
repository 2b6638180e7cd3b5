"""Normalisation: channels with means and deviations of their own, constant ones, single ones."""

import numpy as np

from tests.ops.cases.case import Case, normal


def _given_statistics(*shape, channels):
    return lambda rng: (*normal(shape, *[(channels,)] * 3)(rng), rng.uniform(0.2, 3, channels))


def _off_centre(*shape, channels):
    """Channels with means and deviations of their own."""

    def arrays(rng):
        x, scale, bias = normal(shape, (channels,), (channels,))(rng)
        return 3 + 2 * x, scale, bias

    return arrays


def _constant(rng):
    """One channel does not vary at all: only epsilon keeps it finite."""
    x = rng.standard_normal((6, 2))
    x[:, 0] = 1.5
    return x, *normal((2,), (2,))(rng)


def _cases():
    for name, shape in [("2d", (5, 3)), ("images", (2, 4, 3, 3)), ("1d", (3, 4, 2)), ("3d", (2, 3, 2, 2, 2))]:
        yield Case("batch_norm", name, _off_centre(*shape, channels=shape[-1]))
        yield Case("batch_norm_eval", name, _given_statistics(*shape, channels=shape[-1]))
    yield Case("batch_norm", "batch-1", _off_centre(1, 4, 3, 2, channels=2))
    yield Case("batch_norm", "two-values", _off_centre(2, 3, channels=3), {"epsilon": 0.1})
    yield Case("batch_norm", "epsilon", _off_centre(4, 3, channels=3), {"epsilon": 0.5})
    yield Case("batch_norm", "constant-channel", _constant, {"epsilon": 0.1})
    yield Case("batch_norm", "nchw", _off_centre(2, 3, 4, 5, channels=3), {"layout": "NCHW"})
    yield Case("batch_norm_eval", "batch-1", _given_statistics(1, 3, channels=3))
    yield Case("batch_norm_eval", "nchw", _given_statistics(2, 3, 4, 5, channels=3), {"layout": "NCHW", "epsilon": 0.1})

    for name, shape in [
        ("images", (2, 4, 3, 6)),
        ("1d", (3, 4, 6)),
        ("3d", (2, 3, 2, 2, 6)),
        ("batch-1", (1, 3, 2, 6)),
    ]:
        yield Case("group_norm", name, _off_centre(*shape, channels=6), {"groups": 3})
        yield Case("instance_norm", name, _off_centre(*shape, channels=6))
        yield Case("layer_norm", name, _off_centre(*shape, channels=6))
        yield Case("rms_norm", name, normal(shape, (6,)))
    yield Case("group_norm", "one-group", _off_centre(2, 4, 3, 4, channels=4), {"groups": 1, "epsilon": 0.1})
    yield Case("group_norm", "nchw", _off_centre(2, 6, 3, 4, channels=6), {"groups": 2, "layout": "NCHW"})
    yield Case("instance_norm", "nchw", _off_centre(2, 3, 4, 5, channels=3), {"layout": "NCHW", "epsilon": 0.1})
    for rule in ("group_norm", "instance_norm"):
        one = {"groups": 1} if rule == "group_norm" else {}
        yield Case(
            rule, "constant", lambda rng: (np.full((2, 3, 2, 1), 1.5), *normal((1,), (1,))(rng)), one | {"epsilon": 0.1}
        )
    yield Case("layer_norm", "rows", _off_centre(5, 4, channels=4), {"epsilon": 0.1})
    for name, shape, axes in [
        ("over-2", (4, 3, 5), 2),
        ("over-3", (2, 3, 2, 2), 3),
        ("over-all", (3, 4), 2),
        ("one-row", (5,), 1),
        ("places-over-2", (2, 3, 2, 4), 2),
    ]:
        weights = shape[-axes:]
        yield Case("layer_norm", name, normal(shape, weights, weights))
        yield Case("rms_norm", name, normal(shape, weights), {"epsilon": 0.1})
    yield Case("group_norm", "rows", _off_centre(4, 6, channels=6), {"groups": 2})
    yield Case("group_norm", "rows-nchw", _off_centre(3, 4, channels=4), {"groups": 1, "layout": "NCHW"})
    yield Case("layer_norm", "one-channel", _off_centre(3, 1, channels=1))
    yield Case("rms_norm", "rows", normal((5, 4), (4,)), {"epsilon": 0.1})

    for name, shape in [("dense", (5, 3)), ("1d", (3, 4, 2)), ("2d", (3, 2, 2, 4)), ("3d", (1, 3, 2, 2, 1))]:
        yield Case("weight_standardize", name, normal(shape, shape[-1:]))
        yield Case("weight_standardize", f"{name}-no-gain", normal(shape, None), {"epsilon": 0.1})
    yield Case(
        "weight_standardize",
        "constant",
        lambda rng: (np.full((2, 3), 1.5), rng.standard_normal(3)),
        {"epsilon": 0.1},
    )
    strong = {"alpha": 2.0, "beta": 0.6, "k": 0.5}
    for name, shape, options in [
        ("alexnet", (2, 4, 3, 7), {"size": 5, "k": 2.0, "alpha": 5e-4}),
        ("odd", (2, 3, 2, 6), strong | {"size": 3}),
        ("even", (2, 3, 6), strong | {"size": 4}),
        ("own-channel-only", (2, 2, 2, 2, 3), strong | {"size": 1}),
        ("more-than-there-are", (1, 2, 3, 3), strong | {"size": 8}),
        ("nchw", (2, 5, 3, 4), strong | {"size": 2, "layout": "NCHW"}),
        ("many-channels", (1, 2, 45), strong | {"size": 36}),
        ("many-more-than-channels", (2, 2, 20), strong | {"size": 100}),
    ]:
        yield Case("local_response_norm", name, normal(shape), options)


CASES = list(_cases())
