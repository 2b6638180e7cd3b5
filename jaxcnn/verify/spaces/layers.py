"""The spaces of global pooling, dense layers, dropout and normalisation."""

from typing import Any

import jax
import numpy as np
from hypothesis import strategies as st

from jaxcnn.verify.spaces.draw import Draw, Drawn, batch_size, drawn_shape, generator, set_some, some_layout, space


@space("global_avg_pool", "global_max_pool")
@st.composite
def _global_pool(draw: Drawn, name: str) -> Draw:
    shape = drawn_shape(draw, batch_size(draw, empty=False), least=2, most=4)
    options: dict[str, Any] = {}
    return Draw((some_layout(draw, generator(draw).standard_normal(shape), options),), options)


@space("dense")
@st.composite
def _dense(draw: Drawn, name: str) -> Draw:
    shape = drawn_shape(draw, batch_size(draw), least=1, most=3)
    outputs = draw(st.integers(1, 4))
    rng = generator(draw)
    bias = rng.standard_normal(outputs) if draw(st.booleans()) else None
    return Draw((rng.standard_normal(shape), rng.standard_normal((shape[-1], outputs)), bias))


@space("flatten")
@st.composite
def _flatten(draw: Drawn, name: str) -> Draw:
    return Draw((generator(draw).standard_normal(drawn_shape(draw, batch_size(draw), least=0, most=4)),))


@space("dropout")
@st.composite
def _dropout(draw: Drawn, name: str) -> Draw:
    """Typed keys and raw ones; a rate of 0 is left out, since dropout then returns x without running its rule."""
    shape = drawn_shape(draw, batch_size(draw), least=0, most=3)
    make = draw(st.sampled_from([jax.random.key, jax.random.PRNGKey]))
    key = make(draw(st.integers(0, 2**16)))
    return Draw((generator(draw).standard_normal(shape), key), {"rate": draw(st.sampled_from([0.5, 0.1, 0.9]))})


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
    if len(shape) > 2:
        x = some_layout(draw, x, options)
    return Draw((x, scale, bias, mean, rng.uniform(0.2, 3, channels)) if given else (x, scale, bias), options)


@space("layer_norm", "rms_norm", "instance_norm", "group_norm")
@st.composite
def _example_norm(draw: Drawn, name: str) -> Draw:
    """Each example by itself; groups that divide the channels."""
    spatial = 0 if name in ("layer_norm", "rms_norm") else 1
    *rest, channels = drawn_shape(draw, batch_size(draw), least=1 + spatial, most=4)
    options: dict[str, Any] = {}
    if name == "group_norm":
        options["groups"] = draw(st.integers(1, 2))
        channels *= options["groups"]
    set_some(draw, options, epsilon=st.sampled_from([0.1, 1e-3]))
    rng = generator(draw)
    x = rng.standard_normal((*rest, channels)) + rng.standard_normal(channels)
    scale, bias = rng.standard_normal((2, channels))
    if spatial:
        x = some_layout(draw, x, options)
    return Draw((x, scale) if name == "rms_norm" else (x, scale, bias), options)
