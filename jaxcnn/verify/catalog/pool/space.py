"""The spaces of pooling: in windows, in bins, of the whole image; and of unpooling."""

import math
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import (
    Draw,
    Drawn,
    Ints,
    batch_size,
    collapsed,
    drawn_shape,
    generator,
    output_sizes,
    set_some,
    some_layout,
    space,
)
from jaxcnn.verify.catalog.windows.space import windows


@space("max_pool", "avg_pool")
@st.composite
def _pool(draw: Drawn, name: str) -> Draw:
    at = windows(draw, dilated=True, padding_below_window=True)
    options = {"size": collapsed(at.window), **at.options}
    if at.left_over and draw(st.booleans()):
        options["ceil_mode"] = True
    assume(_accepted(name, at.sizes, options))
    x = generator(draw).standard_normal((batch_size(draw), *at.sizes, draw(st.integers(1, 3))))
    # Without counted padding what ceil_mode adds is like any other.
    if name == "avg_pool" and ("ceil_mode" in options or draw(st.booleans())):
        options["count_padding"] = True
    elif name == "avg_pool":
        set_some(draw, options, divisor_override=st.sampled_from([5, -2]))
    return Draw((some_layout(draw, x, options),), options)


def _accepted(name: str, sizes: Ints, options: dict[str, Any]) -> bool:
    """Whether every window has a tap inside x: dilated taps may step over it, also in what ceil_mode adds."""
    from jaxcnn.ops.pool.shapes import pool_options

    try:
        pool_options(name, sizes, **options)
    except ValueError:
        return False
    return True


@space("lp_pool")
@st.composite
def _lp_pool(draw: Drawn, name: str) -> Draw:
    """Entries of both signs where the power is 1 or even, else none below 0."""
    at = windows(draw, dilated=True, padding_below_window=True)
    options = {"size": collapsed(at.window), **at.options}
    assume(_accepted(name, at.sizes, options))
    options["p"] = draw(st.sampled_from([2, 1, 3, 2.5, 4]))
    x = generator(draw).standard_normal((batch_size(draw), *at.sizes, draw(st.integers(1, 3))))
    x = x if options["p"] in (1, 2, 4) else np.abs(x)
    return Draw((some_layout(draw, x, options),), options)


@space("adaptive_avg_pool", "adaptive_max_pool")
@st.composite
def _adaptive_pool(draw: Drawn, name: str) -> Draw:
    """Fewer bins than positions, more, and as many."""
    shape = drawn_shape(draw, batch_size(draw), least=2, most=4)
    options: dict[str, Any] = {"sizes": collapsed(output_sizes(draw, shape))}
    return Draw((some_layout(draw, generator(draw).standard_normal(shape), options),), options)


@space("max_unpool")
@st.composite
def _max_unpool(draw: Drawn, name: str) -> Draw:
    """Any indices: most images have some entries of the same index, and some places without one."""
    shape = drawn_shape(draw, batch_size(draw), least=2, most=4)
    sizes = output_sizes(draw, shape)
    options: dict[str, Any] = {"sizes": collapsed(sizes)}
    rng = generator(draw)
    x, indices = rng.standard_normal(shape), rng.integers(0, math.prod(sizes), shape).astype(np.int32)
    if draw(st.booleans()):
        options["layout"] = "NCHW"
        x, indices = np.moveaxis(x, -1, 1), np.moveaxis(indices, -1, 1)
    return Draw((x, indices), options)


@space("global_avg_pool", "global_max_pool")
@st.composite
def _global_pool(draw: Drawn, name: str) -> Draw:
    shape = drawn_shape(draw, batch_size(draw, empty=False), least=2, most=4)
    options: dict[str, Any] = {}
    return Draw((some_layout(draw, generator(draw).standard_normal(shape), options),), options)
