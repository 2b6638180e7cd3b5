"""The space of the dropouts."""

from typing import Any

import jax
from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, batch_size, drawn_shape, generator, some_layout, space


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
