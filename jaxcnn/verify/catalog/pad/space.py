"""The space of padding."""

from typing import Any

from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, batch_size, generator, some_layout, space


@space("pad")
@st.composite
def _pad(draw: Drawn, name: str) -> Draw:
    """Every mode, and axes long enough for the padding that they must show, and for what is cropped."""
    batch, axes = batch_size(draw), draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["zeros", "replicate", "reflect", "symmetric", "circular"]))
    low = -2 if draw(st.booleans()) else 0
    padding = tuple((draw(st.integers(low, 3)), draw(st.integers(low, 3))) for _ in range(axes))
    cropped = [sum(max(-end, 0) for end in ends) for ends in padding]
    shown = {"reflect": [1] * axes, "symmetric": [0] * axes, "circular": cropped}
    must_show = [max(ends) + more for ends, more in zip(padding, shown.get(mode, [-3] * axes), strict=True)]
    least = [max(1, c + 1, m) for c, m in zip(cropped, must_show, strict=True)]
    sizes = [draw(st.integers(a, max(a, 7 if axes == 1 else 4))) for a in least]
    x = generator(draw).standard_normal((batch, *sizes, draw(st.integers(1, 3))))
    options: dict[str, Any] = {"mode": mode, "padding": padding}
    if mode == "zeros":
        options["value"] = draw(st.sampled_from([0.0, -2.0, 0.5]))
    return Draw((some_layout(draw, x, options),), options)
