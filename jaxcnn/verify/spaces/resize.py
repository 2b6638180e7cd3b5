"""The spaces of operations that are told how large their output is."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jaxcnn.verify.spaces.draw import Draw, Drawn, batch_size, drawn_shape, generator, set_some, some_layout, space
from jaxcnn.verify.spaces.windows import collapsed


@space("adaptive_avg_pool", "adaptive_max_pool", "resize_nearest", "resize_bilinear")
@st.composite
def _resized(draw: Drawn, name: str) -> Draw:
    """Smaller, larger and unchanged axes; sizes that divide each other and such that do not."""
    shape = drawn_shape(draw, batch_size(draw), least=2, most=4)
    longest = 7 if len(shape) < 5 else 4
    options: dict[str, Any] = {"sizes": collapsed(tuple(draw(st.integers(1, longest)) for _ in shape[1:-1]))}
    if name == "resize_bilinear":
        set_some(draw, options, align_corners=st.just(True))
    return Draw((some_layout(draw, generator(draw).standard_normal(shape), options),), options)


@space("max_unpool")
@st.composite
def _max_unpool(draw: Drawn, name: str) -> Draw:
    """Any indices: most images have some entries of the same index, and some places without one."""
    shape = drawn_shape(draw, batch_size(draw), least=2, most=4)
    sizes = tuple(draw(st.integers(1, 7 if len(shape) < 5 else 4)) for _ in shape[1:-1])
    options: dict[str, Any] = {"sizes": collapsed(sizes)}
    rng = generator(draw)
    x, indices = rng.standard_normal(shape), rng.integers(0, math.prod(sizes), shape).astype(np.int32)
    if draw(st.booleans()):
        options["layout"] = "NCHW"
        x, indices = np.moveaxis(x, -1, 1), np.moveaxis(indices, -1, 1)
    return Draw((x, indices), options)
