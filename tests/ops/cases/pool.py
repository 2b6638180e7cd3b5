"""Pooling: windows that overlap, touch, and leave gaps; ties; borders that are divided right."""

import numpy as np

from tests.ops.cases.case import RESIZED, Case, distinct, normal, tied

# name, spatial sizes, window, options. 3 channels, batch 2 unless named.
GEOMETRIES = [
    ("side-by-side", (4, 6), 2, {}),
    ("remainder", (5, 7), 2, {}),
    ("overlap", (7, 6), 3, {"stride": 2}),
    ("overlap-by-one", (5, 4), 3, {"stride": 1}),
    ("gaps", (8, 7), (2, 1), {"stride": 3}),
    ("same", (5, 6), (3, 2), {"stride": 1, "padding": "SAME"}),
    ("same-stride", (7, 5), 3, {"stride": 2, "padding": "SAME"}),
    ("full-stride", (5, 4), (3, 2), {"stride": (2, 3), "padding": "FULL"}),
    ("int-padding", (7, 6), 3, {"stride": 2, "padding": 1}),
    ("asymmetric", (6, 5), (4, 3), {"stride": (3, 2), "padding": ((3, 0), (1, 2))}),
    ("window-is-input", (4, 3), (4, 3), {}),
    ("1x1", (3, 4), 1, {}),
    ("1x1-stride", (3, 4), 1, {"stride": 2}),
    ("1d", (9,), 4, {"stride": 3, "padding": ((2, 1),)}),
    ("3d", (4, 5, 3), (2, 3, 2), {"stride": (2, 1, 2), "padding": ((0, 0), (1, 1), (1, 0))}),
    ("ceil", (5, 6), 2, {"ceil_mode": True}),
    ("ceil-padding", (6, 8), 3, {"stride": (2, 4), "padding": 1, "ceil_mode": True}),
    ("ceil-last-dropped", (5, 3), 2, {"stride": (3, 2), "padding": 1, "ceil_mode": True}),
    ("ceil-window-beyond-input", (1, 5), (2, 3), {"stride": 2, "ceil_mode": True}),
    ("many-taps", (70,), 43, {"stride": 3, "padding": ((9, 2),)}),
    ("many-taps-at-each-place", (45,), 36, {"stride": 1}),
    ("many-taps-side-by-side", (81,), 38, {"padding": ((3, 2),)}),
]
DILATED = [
    ("dilated", (7, 6), 3, {"stride": 1, "dilation": 2}),
    ("dilated-stride", (8, 7), (2, 3), {"stride": (3, 2), "dilation": (2, 3), "padding": ((0, 1), (2, 1))}),
    ("dilated-remainder", (9, 8), 2, {"stride": 4, "dilation": 3}),
    ("dilated-ceil", (8, 6), 2, {"stride": 3, "dilation": (1, 2), "ceil_mode": True}),
    ("dilated-3d", (4, 3, 5), (2, 1, 3), {"stride": 1, "dilation": (3, 1, 2), "padding": ((0, 0), (0, 0), (1, 1))}),
    ("dilated-1d", (9,), 3, {"stride": 2, "dilation": 3, "padding": ((2, 2),)}),
    ("dilated-many-taps", (80,), 34, {"stride": 2, "dilation": 2, "padding": ((0, 4),)}),
]


# p, name, spatial sizes, window, options.
POWERS = [
    (2, "overlap", (7, 6), 3, {"stride": 2}),
    (1, "overlap", (7, 6), 3, {"stride": 2}),
    (3, "same", (5, 6), (3, 2), {"stride": 1, "padding": "SAME"}),
    (2.5, "remainder", (5, 7), 2, {}),
    (2, "many-taps", (60,), 40, {"stride": 2, "padding": ((3, 0),)}),
    (4, "1d", (9,), 4, {"stride": 3, "padding": ((2, 1),)}),
    (2, "3d", (4, 5, 3), (2, 3, 2), {"stride": (2, 1, 2), "padding": ((0, 0), (1, 1), (1, 0))}),
]


def positive(shape):
    """An `arrays` function: values from 0.1 to 2."""
    return lambda rng: (rng.uniform(0.1, 2, shape),)


def somewhere(shape, sizes):
    """An `arrays` function: normal values, and for each a place in an image of these sizes; some share one."""
    places = sizes ** (len(shape) - 2) if isinstance(sizes, int) else np.prod(sizes)
    return lambda rng: (rng.standard_normal(shape), rng.integers(0, places, shape).astype(np.int32))


def _cases():
    for name, sizes, size, options in [*GEOMETRIES, *DILATED]:
        shape, options = (2, *sizes, 3), {"size": size} | options
        yield Case("max_pool", name, distinct(shape), options)
        yield Case("max_pool", f"{name}-ties", tied(shape), options, smooth=False)
    for name, sizes, size, options in GEOMETRIES:
        shape, options = (2, *sizes, 3), {"size": size} | options
        yield Case("avg_pool", name, normal(shape), options)
        if "padding" in options:
            yield Case("avg_pool", f"{name}-count-padding", normal(shape), options | {"count_padding": True})
    for name, sizes, size, options in DILATED:
        shape, options = (2, *sizes, 3), {"size": size} | options
        yield Case("avg_pool", name, normal(shape), options)
        yield Case("avg_pool", f"{name}-count-padding", normal(shape), options | {"count_padding": True})
        if "ceil_mode" not in options:
            yield Case("lp_pool", name, normal(shape), options | {"p": 2})
    divided = {"size": (3, 2), "stride": 2, "padding": 1, "divisor_override": 5}
    yield Case("avg_pool", "divisor", normal((2, 5, 4, 3)), divided)
    yield Case("avg_pool", "divisor-ceil", normal((2, 6, 4, 3)), divided | {"ceil_mode": True, "dilation": 2})
    nchw = {"size": (3, 2), "stride": 2, "padding": 1, "layout": "NCHW"}
    yield Case("max_pool", "nchw", distinct((2, 3, 5, 4)), nchw)
    yield Case("avg_pool", "nchw", normal((2, 3, 5, 4)), nchw)
    yield Case("max_pool", "batch-1-one-channel", distinct((1, 5, 4, 1)), {"size": 2})
    yield Case("avg_pool", "batch-1-one-channel", normal((1, 5, 4, 1)), {"size": 2})

    for p, name, sizes, size, options in POWERS:
        some = normal if p in (1, 2, 4) else positive
        yield Case("lp_pool", f"{name}-{p}", some((2, *sizes, 3)), {"p": p, "size": size} | options)
    yield Case("lp_pool", "zeros", tied((2, 4, 6, 3)), {"p": 2, "size": 2}, smooth=False)
    yield Case("lp_pool", "nchw", normal((2, 3, 5, 4)), {"p": 2} | nchw)
    for name, shape, sizes in [
        ("1d", (2, 3, 3), 7),
        ("2d", (2, 2, 3, 3), (4, 5)),
        ("3d", (2, 2, 1, 3, 2), (2, 3, 4)),
        ("crowded", (2, 3, 4, 2), (2, 3)),
    ]:
        yield Case("max_unpool", name, somewhere(shape, sizes), {"sizes": sizes})

    for name, shape, options in [
        ("1d", (2, 5, 3), {}),
        ("2d", (2, 4, 3, 5), {}),
        ("3d", (2, 2, 3, 4, 2), {}),
        ("1x1", (1, 1, 1, 3), {}),
        ("nchw", (2, 3, 4, 5), {"layout": "NCHW"}),
    ]:
        yield Case("global_avg_pool", name, normal(shape), options)
        yield Case("global_max_pool", name, distinct(shape), options)
        yield Case("global_max_pool", f"{name}-ties", tied(shape), options, smooth=False)

    for name, spatial, sizes in RESIZED:
        shape, options = (2, *spatial, 3), {"sizes": sizes}
        yield Case("adaptive_avg_pool", name, normal(shape), options)
        yield Case("adaptive_max_pool", name, distinct(shape), options)
        yield Case("adaptive_max_pool", f"{name}-ties", tied(shape), options, smooth=False)
    for rule in ("adaptive_avg_pool", "adaptive_max_pool"):
        yield Case(rule, "nchw", distinct((1, 2, 5, 4)), {"sizes": (3, 6), "layout": "NCHW"})


CASES = list(_cases())
