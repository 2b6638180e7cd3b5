"""Resizing: sizes that divide each other and such that do not, and 1."""

from tests.ops.cases.case import RESIZED, Case, distinct, normal


def _cases():
    for name, spatial, sizes in RESIZED:
        shape, options = (2, *spatial, 3), {"sizes": sizes}
        yield Case("resize_nearest", name, normal(shape), options)
        yield Case("resize_bilinear", name, normal(shape), options)
        yield Case("resize_bilinear", f"{name}-corners", normal(shape), options | {"align_corners": True})
    for rule in ("resize_nearest", "resize_bilinear"):
        yield Case(rule, "nchw", distinct((1, 2, 5, 4)), {"sizes": (3, 6), "layout": "NCHW"})


CASES = list(_cases())
