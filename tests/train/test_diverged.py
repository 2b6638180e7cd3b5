"""A run that diverges says at which step and in which layer."""

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops
from jaxcnn.data import Dataset
from jaxcnn.layers import Conv, Dense, Flatten, chain
from jaxcnn.layers.base import Function
from jaxcnn.train.diverged import first_not_finite
from jaxcnn.train.experiment import experiment_of
from jaxcnn.train.loop import train
from jaxcnn.train.recipe import OptimizationRecipe
from tests.train.tiny import config

RECIPE = OptimizationRecipe(epochs=2, batch_size=3, augment="none", optimizer="sgd", learning_rate=1e-3)


@dataclass(frozen=True)
class Breaks(Function):
    """The identity; where the image is white its output, or its gradient, is not finite."""

    what: str

    def forward(self, params, x):
        white = jnp.max(x) > 1.5
        if self.what == "output":
            return jnp.where(white, jnp.inf, x)
        if self.what == "gradient":
            return x + 0 * jnp.where(white, jnp.sqrt(jnp.abs(x * 0)), 0)
        return x


def experiment(what):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 128, (9, 4, 4, 1), dtype=np.uint8)
    images[5] = 255  # in the batch that the seed brings second
    labels = np.arange(9, dtype=np.int32) % 3
    dataset = Dataset("made", images, labels, images, labels, ("a", "b", "c"))
    network = chain(stem=chain(conv=Conv(2), breaks=Breaks(what)), flatten=Flatten(), head=Dense(3))
    return experiment_of(RECIPE, dataset, network, ((0.0,), (0.5,)))


def diverged_at(of):
    state = of.initial_state()
    for images, labels in of.feed.rest_of_epoch(0):
        state, metrics = of.train_step(state, images, labels)
        if int(metrics.diverged_at) or not all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params)):
            return int(state.step)
    raise AssertionError


def test_the_first_layer_with_an_output_that_is_not_finite_is_named():
    of = experiment("output")
    step = diverged_at(of)
    assert first_not_finite(of, of.initial_state(), step) == (
        "The first layer whose output is not finite is stem/breaks."
    )


def test_else_the_first_on_the_way_back():
    of = experiment("gradient")
    step = diverged_at(of)
    assert first_not_finite(of, of.initial_state(), step) == (
        "All outputs are finite; the first layer on the way back whose δ is not is stem/conv."
    )
    assert first_not_finite(of, of.initial_state(), step + 1) == (
        "The step before it left stem/conv/bias with values that are not finite."
    )


def test_a_loss_of_its_own_is_told_too():
    of = experiment("nothing")
    broken = replace(of, loss=lambda logits, labels: ops.softmax_cross_entropy(logits, labels) + jnp.inf)
    assert first_not_finite(broken, of.initial_state(), 1) == "All outputs and δ are finite; the loss alone is not."


def test_a_run_says_it(tmp_path):
    with pytest.raises(FloatingPointError, match=r"no longer finite at step \d+: .*(left|finite is|δ is not is) \w+"):
        train(config(tmp_path / "run", optimizer="sgd", learning_rate=1e30))
