"""The spaces of dense and bilinear layers, and of flattening."""

from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, batch_size, drawn_shape, generator, space


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
