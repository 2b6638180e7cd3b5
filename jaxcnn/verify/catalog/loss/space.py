"""The spaces of losses."""

import math
from typing import Any

import numpy as np
from hypothesis import strategies as st

from jaxcnn.verify.catalog.draw import Draw, Drawn, Ints, Rng, batch_size, drawn_shape, generator, set_some, space


@space("softmax_cross_entropy", "nll")
@st.composite
def _cross_entropy(draw: Drawn, name: str) -> Draw:
    """Integer classes, some of them ignored, one-hot labels, and weights that do not sum to 1."""
    n, k = batch_size(draw), draw(st.integers(1, 5))
    kind = draw(st.sampled_from(["classes", "one-hot", "weights"]))
    options: dict[str, Any] = {}
    if name == "softmax_cross_entropy":
        set_some(draw, options, label_smoothing=st.sampled_from([0.1, 1.0]))
    rng = generator(draw)
    classes = rng.integers(0, k, n).astype(np.int32)
    if kind == "classes" and draw(st.booleans()):
        options["ignore_index"] = draw(st.sampled_from([-100, 0]))
        classes[::2] = options["ignore_index"]
    labels = {"classes": classes, "one-hot": np.eye(k)[classes % k], "weights": rng.uniform(0, 1, (n, k))}[kind]
    weights = rng.uniform(0.5, 2, k) if draw(st.booleans()) else None
    return Draw((2 * rng.standard_normal((n, k)), labels, weights), options)


@space("sigmoid_cross_entropy", "focal")
@st.composite
def _binary(draw: Drawn, name: str) -> Draw:
    """Hard labels and soft ones; a weight for all, or one for each entry of the last axis."""
    shape = drawn_shape(draw, batch_size(draw), least=0, most=3)
    rng = generator(draw)
    labels = rng.uniform(0, 1, shape)
    if draw(st.booleans()):
        labels = np.round(labels)
    logits = 2 * rng.standard_normal(shape)
    if name == "focal":
        options: dict[str, Any] = {}
        set_some(draw, options, alpha=st.sampled_from([None, 0.6]), gamma=st.sampled_from([0.0, 0.5, 1.0]))
        return Draw((logits, labels), options)
    sizes: list[Ints | None] = [None, (), shape[1:][-1:]]
    size = draw(st.sampled_from(sizes))
    return Draw((logits, labels, None if size is None else np.asarray(rng.uniform(0.5, 3, size))))


@space("mse", "l1", "huber")
@st.composite
def _regression(draw: Drawn, name: str) -> Draw:
    """Some entries are predicted exactly, and some miss by delta."""
    shape = drawn_shape(draw, batch_size(draw), least=0, most=3)
    options: dict[str, Any] = {}
    if name == "huber":
        set_some(draw, options, delta=st.sampled_from([0.5, 2.0]))
    rng = generator(draw)
    target = rng.integers(-2, 3, shape) / 2
    d = options.get("delta", 1) * _some(rng, [0.0, 1.0, -1.0], 1.5 * rng.standard_normal(shape))
    return Draw((target + d, target), options)


@space("kl_divergence")
@st.composite
def _kl_divergence(draw: Drawn, name: str) -> Draw:
    """Targets with zeros among them."""
    shape = drawn_shape(draw, batch_size(draw), least=0, most=3)
    rng = generator(draw)
    return Draw((-rng.exponential(1, shape), _some(rng, [0.0], rng.uniform(0, 1, shape))))


@space("hinge")
@st.composite
def _hinge(draw: Drawn, name: str) -> Draw:
    """Some scores keep the margin just so."""
    shape = drawn_shape(draw, batch_size(draw), least=0, most=3)
    rng = generator(draw)
    return Draw((_some(rng, [1.0, -1.0], 2 * rng.standard_normal(shape)), rng.choice([-1.0, 1.0], shape)))


@space("multi_margin")
@st.composite
def _multi_margin(draw: Drawn, name: str) -> Draw:
    """Scores on a lattice, so that some keep the margin just so."""
    n, k = batch_size(draw), draw(st.integers(1, 5))
    options = {"margin": draw(st.sampled_from([1.0, -0.5, 0.5, 2.0])), "p": draw(st.sampled_from([1, 2]))}
    rng = generator(draw)
    return Draw((rng.integers(-2, 3, (n, k)) / 2, rng.integers(0, k, n).astype(np.int32)), options)


@space("triplet")
@st.composite
def _triplet(draw: Drawn, name: str) -> Draw:
    """Some positives are the anchor itself, and some triplets keep the margin."""
    shape = (batch_size(draw), draw(st.integers(1, 5)))
    options: dict[str, Any] = {}
    set_some(draw, options, margin=st.sampled_from([0.3, 2.0]), epsilon=st.sampled_from([0.0, 0.1]))
    set_some(draw, options, p=st.sampled_from([math.inf, 1, 3, 0.5]), swap=st.just(True))
    rng = generator(draw)
    anchor, positive, negative = rng.standard_normal((3, *shape))
    same = rng.random((len(anchor), 1)) < 1 / 4
    return Draw((anchor, np.where(same, anchor, positive), negative), options)


def _some(rng: Rng, values: list[float], x: Any) -> Any:
    """A third of x replaced by one of these values."""
    return np.where(rng.random(x.shape) < 1 / 3, rng.choice(values, x.shape), x)
