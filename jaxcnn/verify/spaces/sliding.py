"""The spaces of convolution and pooling."""

from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from jaxcnn.verify.spaces.draw import Draw, Drawn, Ints, batch_size, generator, some_layout, space
from jaxcnn.verify.spaces.windows import collapsed, windows

# Groups, and the channels in and out of each: equal and unequal, grouped, depthwise with and without a multiplier.
_CHANNELS = [(1, 1, 1), (1, 2, 2), (2, 1, 1), (2, 2, 2), (1, 2, 3), (1, 3, 2), (2, 1, 2), (2, 2, 1), (4, 1, 1)]


@space("conv", "conv_dgrad", "conv_wgrad", "conv_transpose")
@st.composite
def _conv(draw: Drawn, name: str) -> Draw:
    at = windows(draw, dilated=True, padding_below_window=False)
    assume(not at.aborts_xla)
    groups, cin, cout = draw(st.sampled_from(_CHANNELS))
    n, options = batch_size(draw), dict(at.options)
    if groups > 1:
        options["groups"] = groups
    rng = generator(draw)
    x = rng.standard_normal((n, *at.sizes, cin * groups))
    kernel = rng.standard_normal((*at.window, cin, cout * groups))
    dy = rng.standard_normal((n, *at.out, cout * groups))
    if name == "conv_dgrad":
        return Draw((dy, kernel), options | {"sizes": at.sizes})
    if name == "conv_wgrad":
        return Draw((x, dy), options | {"window": at.window})
    features = cin if name == "conv_transpose" else cout
    bias = rng.standard_normal(features * groups) if draw(st.booleans()) else None
    if name == "conv_transpose":
        if at.options["padding"] != "SAME" and any(at.remainders):
            options["output_padding"] = at.remainders
        x = dy
    return Draw((some_layout(draw, x, options), kernel, bias), options)


@space("max_pool", "avg_pool")
@st.composite
def _pool(draw: Drawn, name: str) -> Draw:
    at = windows(draw, dilated=name == "max_pool", padding_below_window=True)
    options = {"size": collapsed(at.window), **at.options}
    if at.left_over and draw(st.booleans()):
        options["ceil_mode"] = True
    assume(_accepted(name, at.sizes, options))
    x = generator(draw).standard_normal((batch_size(draw), *at.sizes, draw(st.integers(1, 3))))
    # Without counted padding what ceil_mode adds is like any other.
    if name == "avg_pool" and ("ceil_mode" in options or draw(st.booleans())):
        options["count_padding"] = True
    return Draw((some_layout(draw, x, options),), options)


def _accepted(name: str, sizes: Ints, options: dict[str, Any]) -> bool:
    """Whether every window has a tap inside x: dilated taps may step over it, also in what ceil_mode adds."""
    from jaxcnn.ops.pool_shapes import pool_options

    try:
        pool_options(name, sizes, **options)
    except ValueError:
        return False
    return True


@space("lp_pool")
@st.composite
def _lp_pool(draw: Drawn, name: str) -> Draw:
    """Entries of both signs where the power is 1 or even, else none below 0."""
    at = windows(draw, dilated=False, padding_below_window=True)
    options = {"p": draw(st.sampled_from([2, 1, 3, 2.5, 4])), "size": collapsed(at.window), **at.options}
    x = generator(draw).standard_normal((batch_size(draw), *at.sizes, draw(st.integers(1, 3))))
    x = x if options["p"] in (1, 2, 4) else np.abs(x)
    return Draw((some_layout(draw, x, options),), options)


@space("pad")
@st.composite
def _pad(draw: Drawn, name: str) -> Draw:
    """Every mode, and axes long enough for the padding that they must show."""
    batch, axes = batch_size(draw), draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["zeros", "replicate", "reflect", "symmetric", "circular"]))
    padding = tuple((draw(st.integers(0, 3)), draw(st.integers(0, 3))) for _ in range(axes))
    shown = {"reflect": 1, "symmetric": 0, "circular": 0}
    least = [max(1, max(ends) + shown[mode]) if mode in shown else 1 for ends in padding]
    sizes = [draw(st.integers(a, 7 if axes == 1 else 4)) for a in least]
    x = generator(draw).standard_normal((batch, *sizes, draw(st.integers(1, 3))))
    options: dict[str, Any] = {"mode": mode, "padding": padding}
    return Draw((some_layout(draw, x, options),), options)
