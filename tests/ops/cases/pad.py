"""Padding in every mode, as far as each can go."""

from tests.ops.cases.case import Case, normal


def _cases():
    for mode, most in [("zeros", 6), ("replicate", 6), ("reflect", 2), ("symmetric", 3), ("circular", 3)]:
        yield Case("pad", f"{mode}-2d", normal((2, 4, 3, 2)), {"padding": ((1, 2), (2, 0)), "mode": mode})
        yield Case("pad", f"{mode}-most", normal((1, 3, 2)), {"padding": ((most, most),), "mode": mode})
        yield Case("pad", f"{mode}-none", normal((2, 3, 1, 2)), {"padding": 0, "mode": mode})
        yield Case("pad", f"{mode}-cropped", normal((2, 5, 6, 2)), {"padding": ((-1, 2), (2, -2)), "mode": mode})
        yield Case("pad", f"{mode}-cropped-at-both-ends", normal((2, 4, 2)), {"padding": ((-1, -2),), "mode": mode})
        yield Case("pad", f"{mode}-3d", normal((2, 2, 3, 2, 2)), {"padding": ((1, 0), (0, 1), (1, 1)), "mode": mode})
        most_left = {"padding": ((-2, 2 if mode == "circular" else 3),), "mode": mode}
        yield Case("pad", f"{mode}-cropped-most", normal((1, 4, 2)), most_left)
    yield Case("pad", "value", normal((2, 4, 3, 2)), {"padding": ((1, 2), (2, -1)), "value": -1.5})
    yield Case("pad", "size-1", normal((2, 1, 3, 2)), {"padding": ((3, 1), (1, 1)), "mode": "replicate"})
    yield Case("pad", "nchw", normal((2, 3, 5, 4)), {"padding": 1, "mode": "reflect", "layout": "NCHW"})


CASES = list(_cases())
