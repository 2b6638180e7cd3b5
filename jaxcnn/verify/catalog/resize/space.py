"""The spaces of resizing."""

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


@space("resize_nearest", "resize_bilinear")
@st.composite
def _resize(draw: Drawn, name: str) -> Draw:
    """Smaller, larger and unchanged axes; sizes that divide each other and such that do not."""
    shape = drawn_shape(draw, batch_size(draw), least=2, most=4)
    options: dict[str, Any] = {"sizes": collapsed(output_sizes(draw, shape))}
    if name == "resize_bilinear":
        set_some(draw, options, align_corners=st.just(True))
    return Draw((some_layout(draw, generator(draw).standard_normal(shape), options),), options)
