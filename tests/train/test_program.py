"""A step as a program: updated in place, within other programs, and where XLA lacks the option."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import ops
from jaxcnn.layers import Activation, Conv, Dense, Flatten, chain
from jaxcnn.train import program
from jaxcnn.train.program import Program
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import make_train_step

NETWORK = chain(
    conv1=Conv(4), relu1=Activation("relu"), conv2=Conv(6), relu2=Activation("relu"), flat=Flatten(), head=Dense(3)
)
IMAGES = np.random.default_rng(0).standard_normal((2, 5, 5, 3), np.float32)
LABELS = np.array([0, 2], np.int32)


@pytest.fixture
def step():
    return make_train_step(NETWORK, optax.sgd(0.1), ops.softmax_cross_entropy, normalise=lambda x: x)


def begun():
    params, state = NETWORK.init(jax.random.key(0), jax.ShapeDtypeStruct(IMAGES.shape, jnp.float32))
    return TrainState(params, state, optax.sgd(0.1).init(params), jnp.int32(0), jax.random.key(1))


def copied_kernels(compiled):
    return re.findall(r"= f32\[(?:3,3,4,6|150,3)\]\S* copy\(", compiled.as_text())


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="the option is that of XLA's compiler for CPUs")
def test_kernels_are_updated_without_a_copy(step):
    by_default = jax.jit(step.step, donate_argnums=0).lower(begun(), IMAGES, LABELS).compile()
    assert len(copied_kernels(by_default)) == 2, "XLA makes none by itself now: leave out the option"
    assert copied_kernels(step.lower(begun(), IMAGES, LABELS).compile()) == []


def test_steps_within_another_program_are_the_same(step):
    one, _ = step(begun(), IMAGES, LABELS)
    two, metrics = step(one, IMAGES, LABELS)
    scanned, seen = jax.jit(lambda train: jax.lax.scan(lambda train, _: step(train, IMAGES, LABELS), train, length=2))(
        begun()
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), scanned.params, two.params)
    np.testing.assert_allclose(seen.loss[1], metrics.loss, rtol=1e-5)
    assert scanned.step == two.step == 2


def test_a_step_of_several_states_at_once_is_a_program_too(step):
    states = jax.tree.map(lambda *a: jnp.stack(a), begun(), begun())
    both = jnp.stack([IMAGES, IMAGES * 2])
    _, metrics = Program(jax.vmap(step))(states, both, jnp.stack([LABELS, LABELS]))
    alone = [step(begun(), images, LABELS)[1].loss for images in both]
    np.testing.assert_allclose(metrics.loss, alone, rtol=1e-5)
    assert states.params["head"]["kernel"].is_deleted()


def test_an_option_that_this_xla_does_not_have_is_left_out(step, monkeypatch):
    monkeypatch.setattr(program, "_IN_PLACE", {"xla_cpu_of_another_version": True})
    program.in_place.cache_clear()
    try:
        _, metrics = step(begun(), IMAGES, LABELS)
    finally:
        program.in_place.cache_clear()
    assert np.isfinite(metrics.loss)
