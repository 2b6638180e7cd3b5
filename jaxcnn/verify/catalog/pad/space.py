"""The space of padding."""

from typing import Any

from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, batch_size, generator, some_layout, space


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
