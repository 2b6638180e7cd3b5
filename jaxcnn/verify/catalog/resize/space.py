"""The spaces of what gives images of other sizes."""

import math
from typing import Any

from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import (
    Draw,
    Drawn,
    batch_size,
    collapsed,
    drawn_shape,
    generator,
    output_sizes,
    set_some,
    some_layout,
    space,
)

# What each rule's words can be beside their defaults.
_FILTERED = {
    "coordinates": st.sampled_from(["asymmetric", "align_corners"]),
    "antialias": st.just(True),
    "exclude_outside": st.booleans(),
}
WORDS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "resize_nearest": {
        "coordinates": st.sampled_from(["half_pixel", "align_corners"]),
        "rounding": st.sampled_from(["ceil", "round_prefer_floor", "round_prefer_ceil"]),
    },
    "resize_bilinear": _FILTERED,
    "resize_bicubic": _FILTERED | {"a": st.just(-0.6)},
}


@space("resize_nearest", "resize_bilinear", "resize_bicubic")
@st.composite
def _resize(draw: Drawn, name: str) -> Draw:
    """Smaller, larger and unchanged axes; sizes that divide each other and such that do not, or a scale."""
    shape = drawn_shape(draw, batch_size(draw), least=2, most=4)
    if draw(st.booleans()):
        factors = st.sampled_from([1.7, 2.0, 1.3, *[0.6, 0.75] * (min(shape[1:-1]) > 1)])
        options: dict[str, Any] = {"scale": tuple(draw(factors) for _ in shape[1:-1])}
    else:
        options = {"sizes": collapsed(output_sizes(draw, shape))}
    set_some(draw, options, **WORDS[name])
    return Draw((some_layout(draw, generator(draw).standard_normal(shape), options),), options)


@space("pixel_shuffle", "pixel_unshuffle")
@st.composite
def _pixel_shuffle(draw: Drawn, name: str) -> Draw:
    """Blocks of other sides along each axis, and of one pixel; channels counted both ways."""
    n, *lengths, channels = drawn_shape(draw, batch_size(draw), least=2, most=4, longest=4)
    factor = tuple(draw(st.integers(1, 3 if len(lengths) < 3 else 2)) for _ in lengths)
    if name == "pixel_shuffle":
        channels *= math.prod(factor)
    else:
        lengths = [w * r for w, r in zip(lengths, factor, strict=True)]
    options: dict[str, Any] = {"factor": collapsed(factor)}
    set_some(draw, options, mode=st.just("DCR"))
    x = generator(draw).standard_normal((n, *lengths, channels))
    return Draw((some_layout(draw, x, options),), options)


@space("grid_sample")
@st.composite
def _grid_sample(draw: Drawn, name: str) -> Draw:
    """Places inside and beyond the image."""
    n, *lengths, channels = drawn_shape(draw, batch_size(draw), least=2, most=4)
    out = [draw(st.integers(1, 4 if len(lengths) < 3 else 2)) for _ in lengths]
    options: dict[str, Any] = {}
    set_some(
        draw,
        options,
        # The nearest has no gradient for the grid.
        mode=st.sampled_from(["bilinear", "nearest", *["bicubic"] * (len(lengths) < 3)]),
        padding_mode=st.sampled_from(["border", "reflection"]),
        align_corners=st.just(True),
    )
    rng = generator(draw)
    grid = rng.uniform(-1.5, 1.5, (n, *out, len(lengths)))
    return Draw((some_layout(draw, rng.standard_normal((n, *lengths, channels)), options), grid), options)


@space("affine_grid")
@st.composite
def _affine_grid(draw: Drawn, name: str) -> Draw:
    """A matrix has no axis that could be longer than a tile of 16: batches have to be."""
    n, axes = draw(st.sampled_from([1, 2, 17, 18, 0])), draw(st.integers(1, 3))
    sizes = tuple(draw(st.integers(1, 7 if axes < 3 else 4)) for _ in range(axes))
    options: dict[str, Any] = {"sizes": collapsed(sizes)}
    set_some(draw, options, align_corners=st.just(True))
    return Draw((generator(draw).standard_normal((n, axes, axes + 1)),), options)
