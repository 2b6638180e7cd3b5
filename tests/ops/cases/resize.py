"""Adaptive pooling and resizing: bins that overlap, sizes that divide each other and such that do not, and 1."""

from tests.ops.cases.case import Case, distinct, normal, tied

# name, spatial sizes, new sizes. 3 channels, batch 2 unless named.
SIZES = [
    ("divides", (6, 4), (3, 2)),
    ("overlap", (7, 5), (3, 4)),
    ("unchanged", (3, 5), (3, 5)),
    ("one", (4, 5), 1),
    ("from-one", (1, 3), (4, 2)),
    ("twice", (3, 2), (6, 4)),
    ("larger", (4, 3), (7, 5)),
    ("larger-and-smaller", (2, 7), (5, 3)),
    ("much-smaller", (11, 9), (2, 3)),
    ("1d", (9,), 4),
    ("1d-larger", (4,), 11),
    ("3d", (3, 4, 2), (2, 5, 2)),
]


def _cases():
    for name, spatial, sizes in SIZES:
        shape, options = (2, *spatial, 3), {"sizes": sizes}
        yield Case("adaptive_avg_pool", name, normal(shape), options)
        yield Case("adaptive_max_pool", name, distinct(shape), options)
        yield Case("adaptive_max_pool", f"{name}-ties", tied(shape), options, smooth=False)
        yield Case("resize_nearest", name, normal(shape), options)
        yield Case("resize_bilinear", name, normal(shape), options)
        yield Case("resize_bilinear", f"{name}-corners", normal(shape), options | {"align_corners": True})
    for rule in ("adaptive_avg_pool", "adaptive_max_pool", "resize_nearest", "resize_bilinear"):
        yield Case(rule, "nchw", distinct((1, 2, 5, 4)), {"sizes": (3, 6), "layout": "NCHW"})


CASES = list(_cases())
