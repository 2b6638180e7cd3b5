"""The spaces of global pooling, dense layers and dropout."""

from typing import Any

import jax
from hypothesis import strategies as st

from jaxcnn.verify.spaces.draw import Draw, Drawn, batch_size, drawn_shape, generator, some_layout, space


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


@space("bilinear")
@st.composite
def _bilinear(draw: Drawn, name: str) -> Draw:
    shape = drawn_shape(draw, batch_size(draw), least=1, most=3)
    other, outputs = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    rng = generator(draw)
    bias = rng.standard_normal(outputs) if draw(st.booleans()) else None
    x1, x2 = rng.standard_normal(shape), rng.standard_normal((*shape[:-1], other))
    return Draw((x1, x2, rng.standard_normal((shape[-1], other, outputs)), bias))


@space("dropout", "spatial_dropout", "stochastic_depth")
@st.composite
def _dropout(draw: Drawn, name: str) -> Draw:
    """Typed keys and raw ones; a rate of 0 is left out, since dropout then returns x without running its rule."""
    spatial = name == "spatial_dropout"
    shape = drawn_shape(draw, batch_size(draw), least=2 if spatial else 0, most=4 if spatial else 3)
    make = draw(st.sampled_from([jax.random.key, jax.random.PRNGKey]))
    key = make(draw(st.integers(0, 2**16)))
    options: dict[str, Any] = {"rate": draw(st.sampled_from([0.5, 0.1, 0.9]))}
    x = generator(draw).standard_normal(shape)
    return Draw((some_layout(draw, x, options) if spatial else x, key), options)
