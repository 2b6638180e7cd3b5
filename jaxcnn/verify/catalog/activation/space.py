"""The spaces of activations."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, Ints, batch_size, drawn_shape, generator, set_some, space

# Activations that work entry by entry, each with its options and what they are in the draws that set them.
ELEMENTWISE: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "relu": {},
    "relu6": {},
    "leaky_relu": {"slope": st.sampled_from([0.3, 0.0, 1.5])},
    "elu": {"alpha": st.sampled_from([0.5, 2.0])},
    "celu": {"alpha": st.sampled_from([0.5, 2.0])},
    "selu": {},
    "sigmoid": {},
    "hard_sigmoid": {"slope": st.sampled_from([0.25, 0.2]), "offset": st.sampled_from([0.25, 0.75])},
    "tanh": {},
    "softplus": {"beta": st.sampled_from([0.5, 2.0]), "threshold": st.sampled_from([1.0, 20.0])},
    "softsign": {},
    "gelu": {"approximate": st.just(True)},
    "silu": {},
    "hard_swish": {},
    "mish": {},
}


# Where they have kinks other than 0, which every verification tries.
KINKS = {"relu6": [6.0], "hard_sigmoid": [-3.0, 3.0], "hard_swish": [-3.0, 3.0]}


@space(*ELEMENTWISE)
@st.composite
def _elementwise(draw: Drawn, name: str) -> Draw:
    options: dict[str, Any] = {}
    set_some(draw, options, **ELEMENTWISE[name])
    shape = drawn_shape(draw, batch_size(draw), least=0, most=4)
    values = generator(draw)
    x = 2 * values.standard_normal(shape)
    if name in KINKS:
        x = np.where(values.random(shape) < 1 / 4, values.choice(KINKS[name], shape), 2 * x)
    return Draw((x,), options)


@space("prelu")
@st.composite
def _prelu(draw: Drawn, name: str) -> Draw:
    """One slope for all, one for each channel, and one for all along any axes."""
    shape = drawn_shape(draw, batch_size(draw), least=1, most=4)
    axes: Ints = draw(st.sampled_from([(), shape[-1:], shape]))
    if axes == shape:
        axes = tuple(draw(st.sampled_from([1, n])) for n in shape[draw(st.integers(0, len(shape) - 1)) :])
    values = generator(draw)
    slope = values.standard_normal(axes)
    return Draw((2 * values.standard_normal(shape), np.asarray(slope)))


@space("softmax", "log_softmax")
@st.composite
def _softmax(draw: Drawn, name: str) -> Draw:
    """An axis of length 0 has no softmax, so only the batch is empty, and only where another axis is taken."""
    shape = drawn_shape(draw, batch_size(draw, empty=False), least=0, most=3)
    options: dict[str, Any] = {}
    set_some(draw, options, axis=st.integers(-len(shape), len(shape) - 1))
    if len(shape) > 1 and options.get("axis", -1) % len(shape) and draw(st.booleans()):
        shape = (0, *shape[1:])
    return Draw((2 * generator(draw).standard_normal(shape),), options)


@space("glu")
@st.composite
def _glu(draw: Drawn, name: str) -> Draw:
    """Twice as long along the axis that is halved as another could be."""
    shape = [*drawn_shape(draw, batch_size(draw), least=1, most=4, longest=4)]
    options: dict[str, Any] = {}
    set_some(draw, options, axis=st.integers(1 - len(shape), len(shape) - 1))
    shape[options.get("axis", -1)] *= 2
    return Draw((2 * generator(draw).standard_normal(shape),), options)
