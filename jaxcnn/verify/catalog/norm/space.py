"""The spaces of normalisation."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, batch_size, drawn_shape, generator, set_some, some_layout, space


@space("batch_norm", "batch_norm_eval")
@st.composite
def _batch_norm(draw: Drawn, name: str) -> Draw:
    """Channels with means and deviations of their own; training has 2 values or more for each."""
    given = name == "batch_norm_eval"
    batch = batch_size(draw, empty=given)
    shape = drawn_shape(draw, batch, least=1, most=4)
    if not given and np.prod(shape[:-1]) < 2:
        shape = (2, *shape[1:])
    channels = shape[-1]
    rng = generator(draw)
    x = rng.uniform(0.5, 2, channels) * rng.standard_normal(shape) + rng.standard_normal(channels)
    scale, bias, mean = rng.standard_normal((3, channels))
    options: dict[str, Any] = {}
    set_some(draw, options, epsilon=st.sampled_from([0.1, 1e-3]))
    x = _some_layout(draw, x, options)
    return Draw((x, scale, bias, mean, rng.uniform(0.2, 3, channels)) if given else (x, scale, bias), options)


@space("layer_norm", "rms_norm", "instance_norm", "group_norm")
@st.composite
def _example_norm(draw: Drawn, name: str) -> Draw:
    """Each example by itself; groups that divide the channels; the last axis, several or all."""
    over_rows = name in ("layer_norm", "rms_norm")
    *rest, channels = drawn_shape(draw, batch_size(draw), least=2 if name == "instance_norm" else 1, most=4)
    options: dict[str, Any] = {}
    if name == "group_norm":
        options["groups"] = draw(st.integers(1, 2))
        channels *= options["groups"]
    axes = draw(st.integers(1, len(rest) + 1)) if over_rows and draw(st.booleans()) else 1
    if axes > 1:  # an axis as long as no other, so that it alone can be stretched
        channels += 4
    set_some(draw, options, epsilon=st.sampled_from([0.1, 1e-3]))
    rng = generator(draw)
    x = rng.standard_normal((*rest, channels)) + rng.standard_normal(channels)
    scale, bias = rng.standard_normal((2, *x.shape[-axes:]))
    if not over_rows:
        x = _some_layout(draw, x, options)
    return Draw((x, scale) if name == "rms_norm" else (x, scale, bias), options)


def _some_layout(draw: Drawn, x: Any, options: dict[str, Any]) -> Any:
    """`some_layout`; several rows (n, c) may name the one they have: a word, so that some are among the draws run."""
    if x.ndim > 2:
        return some_layout(draw, x, options)
    if len(x) > 1:
        set_some(draw, options, layout=st.just("NHWC"))
    return x


@space("weight_standardize")
@st.composite
def _weight_standardize(draw: Drawn, name: str) -> Draw:
    """Kernels of dense layers and of convolutions, with 2 weights or more for each output."""
    *window, cin, cout = drawn_shape(draw, draw(st.integers(1, 3)), least=1, most=4, longest=4)
    if math.prod(window) * cin < 2:
        cin = 2
    options: dict[str, Any] = {}
    set_some(draw, options, epsilon=st.sampled_from([0.1, 1e-3]))
    rng = generator(draw)
    kernel = rng.standard_normal((*window, cin, cout)) + rng.standard_normal(cout)
    return Draw((kernel, rng.standard_normal(cout) if draw(st.booleans()) else None), options)


@space("local_response_norm")
@st.composite
def _local_response_norm(draw: Drawn, name: str) -> Draw:
    """Windows of channels: one, even and odd, more than there are."""
    *rest, _ = drawn_shape(draw, batch_size(draw), least=2, most=4, longest=4)
    options: dict[str, Any] = {}
    ranges = {"alpha": [0.5, 2.0], "beta": [1.0, 2.0], "k": [2.0, 0.5]}
    set_some(draw, options, size=st.sampled_from([2, 3, 4, 1]))
    set_some(draw, options, **{name: st.sampled_from(values) for name, values in ranges.items()})
    x = generator(draw).standard_normal((*rest, draw(st.integers(1, 6))))
    return Draw((some_layout(draw, x, options),), options)
