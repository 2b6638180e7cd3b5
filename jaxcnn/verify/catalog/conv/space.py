"""The spaces of convolution and its gradients."""

import math

from hypothesis import assume
from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, batch_size, generator, some_layout, space
from jaxcnn.verify.catalog.windows.space import windows

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
        extra = at.remainders
        if draw(st.booleans()):  # more than the stride, but less than the dilation
            axes = zip(extra, at.axes, strict=True)
            extra = tuple(rest + s if rest + s < d else rest for rest, (_, _, s, _, d) in axes)
        if at.options["padding"] != "SAME" and any(extra):
            options["output_padding"] = extra
        x = dy
    return Draw((some_layout(draw, x, options), kernel, bias), options)


@space("unfold", "fold")
@st.composite
def _unfold(draw: Drawn, name: str) -> Draw:
    at = windows(draw, dilated=True, padding_below_window=False)
    n, channels, rng = batch_size(draw), draw(st.integers(1, 3)), generator(draw)
    options = {"window": at.window} | at.options
    if name == "unfold":
        x = rng.standard_normal((n, *at.sizes, channels))
    else:
        x = rng.standard_normal((n, math.prod(at.out), channels * math.prod(at.window)))
        options = {"sizes": at.sizes} | options
    return Draw((some_layout(draw, x, options),), options)
