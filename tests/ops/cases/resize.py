"""Images of other sizes: such as divide each other and such as do not, and 1; places inside and beyond the image."""

import itertools

from tests.ops.cases.case import RESIZED, Case, distinct, normal

COORDINATES = ("half_pixel", "asymmetric", "align_corners")
# name, shape, what the new sizes follow from.
SCALED = [
    ("scale", (2, 5, 4, 3), {"scale": (1.7, 0.6)}),
    ("scale-1d", (1, 9, 2), {"scale": 0.75}),
    ("scale-3d", (1, 2, 3, 4, 1), {"scale": (2.5, 1.3, 0.5)}),
    ("sizes", (2, 5, 7, 1), {"sizes": (8, 3)}),
    ("ones", (2, 3, 1, 2), {"sizes": (1, 2)}),
]
FILTERS = [
    {"antialias": True},
    {"antialias": True, "exclude_outside": False},
    {"exclude_outside": True},
    {"antialias": True, "align_corners": True},
]


def _resize_cases():
    for name, spatial, sizes in RESIZED:
        shape, options = (2, *spatial, 3), {"sizes": sizes}
        yield Case("resize_nearest", name, normal(shape), options)
        for rule in ("resize_bilinear", "resize_bicubic"):
            yield Case(rule, name, normal(shape), options)
            yield Case(rule, f"{name}-corners", normal(shape), options | {"align_corners": True})
    for name, shape, options in SCALED:
        for coordinates in COORDINATES:
            told = options | {"coordinates": coordinates}
            for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil"):
                words = told | {"rounding": rounding}
                yield Case("resize_nearest", f"{name}-{coordinates}-{rounding}", normal(shape), words)
            yield Case("resize_bilinear", f"{name}-{coordinates}", normal(shape), told)
            yield Case("resize_bicubic", f"{name}-{coordinates}", normal(shape), told | {"a": -0.5})
        for rule, words in itertools.product(("resize_bilinear", "resize_bicubic"), FILTERS):
            yield Case(
                rule, "-".join([name, *map("{0[0]}-{0[1]}".format, words.items())]), normal(shape), options | words
            )
    for rule in ("resize_nearest", "resize_bilinear", "resize_bicubic"):
        yield Case(rule, "nchw", distinct((1, 2, 5, 4)), {"sizes": (3, 6), "layout": "NCHW"})


# name, spatial sizes where the blocks are channels, factor. 2 channels in front of the blocks, batch 2.
SHUFFLED = [
    ("2d", (2, 3), 2),
    ("uneven", (3, 1), (2, 3)),
    ("1d", (4,), 3),
    ("3d", (1, 2, 1), (2, 1, 3)),
    ("1", (2, 3), 1),
]


def _pixel_shuffle_cases():
    for name, spatial, factor in SHUFFLED:
        factors = (factor,) * len(spatial) if isinstance(factor, int) else factor
        block = 1
        for r in factors:
            block *= r
        larger = [w * r for w, r in zip(spatial, factors, strict=True)]
        for suffix, words in [("", {}), ("-dcr", {"mode": "DCR"})]:
            options = {"factor": factor} | words
            yield Case("pixel_shuffle", name + suffix, normal((2, *spatial, 2 * block)), options)
            yield Case("pixel_unshuffle", name + suffix, normal((2, *larger, 2)), options)
    yield Case("pixel_shuffle", "nchw", normal((2, 8, 3, 2)), {"factor": 2, "layout": "NCHW"})
    yield Case("pixel_unshuffle", "nchw", normal((2, 1, 4, 6)), {"factor": (2, 3), "layout": "NCHW"})


def sampled(shape, out):
    """An `arrays` function: an image, and places inside and beyond it, none closer than 1/120 to a kink.

    With up to 5 pixels along an axis all kinks lie at multiples of 1/60: at pixels, midway between two, at the borders.
    """

    def arrays(rng):
        grid = (rng.integers(-150, 150, (shape[0], *out, len(out))) + 0.5) / 60
        return rng.standard_normal(shape), grid

    return arrays


def _grid_cases():
    words = itertools.product(("bilinear", "nearest"), ("zeros", "border", "reflection"), (False, True))
    for mode, padding_mode, corners in words:
        options = {"mode": mode, "padding_mode": padding_mode, "align_corners": corners}
        name = f"{mode}-{padding_mode}" + "-corners" * corners
        yield Case("grid_sample", name, sampled((2, 4, 5, 3), (3, 4)), options)
        yield Case("grid_sample", f"{name}-1-long", sampled((2, 1, 3, 2), (2, 3)), options)
    yield Case("grid_sample", "1d", sampled((2, 5, 3), (4,)))
    bicubic = {"mode": "bicubic"}
    for padding_mode, corners in itertools.product(("zeros", "border", "reflection"), (False, True)):
        options = bicubic | {"padding_mode": padding_mode, "align_corners": corners}
        yield Case("grid_sample", f"bicubic-{padding_mode}" + "-corners" * corners, sampled((2, 4, 3), (5,)), options)
    yield Case("grid_sample", "bicubic-1-long", sampled((2, 1, 2), (4,)), options)
    yield Case("grid_sample", "bicubic-2d", sampled((2, 4, 5, 2), (2, 2)), bicubic | {"padding_mode": "reflection"})
    yield Case("grid_sample", "3d", sampled((2, 2, 3, 4, 2), (2, 1, 3)))
    yield Case("grid_sample", "nchw", sampled((2, 3, 4, 5), (3, 2)), {"layout": "NCHW"})
    for name, axes, sizes in [("1d", 1, 5), ("2d", 2, (3, 4)), ("3d", 3, (2, 1, 3)), ("one", 2, 1)]:
        for corners in (False, True):
            options = {"sizes": sizes, "align_corners": corners}
            yield Case("affine_grid", name + "-corners" * corners, normal((2, axes, axes + 1)), options)


CASES = [*_resize_cases(), *_pixel_shuffle_cases(), *_grid_cases()]
