"""Rematerialised blocks: less memory, the same numbers, the same random ones, the same places of all parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import ops
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, chain, residual
from jaxcnn.layers.walk import leaves
from jaxcnn.train.loop import train as run
from jaxcnn.train.remat import Blocks, rematerialised
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step
from tests.train.test_checkpoint import leaves as bits
from tests.train.tiny import STEPS, config

IMAGES = np.random.default_rng(0).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
LABELS = np.arange(8, dtype=np.int32) % 3
GIVEN = optax.trace(0.0)  # its state is the gradient that it was given


def unit():
    return chain(conv=Conv(8), bn=BatchNorm(), relu=Activation("relu"), drop=Dropout(0.25))


# Flat at first, then with blocks that are residual, and one within a chain.
NETWORK = chain(
    **dict(unit().parts),
    block1=residual(unit()),
    relu1=Activation("relu"),
    inner=chain(block2=residual(unit()), relu2=Activation("relu"), block3=residual(unit())),
    flatten=Flatten(),
    head=Dense(3),
)


def compiled(network=NETWORK, **options):
    """A step, compiled, and the state that it begins with."""
    params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32))
    train = TrainState(params, state, GIVEN.init(params), jnp.int32(0), jax.random.key(1))
    step = make_train_step(
        network,
        GIVEN,
        ops.softmax_cross_entropy,
        normalise=lambda x: x / 255,
        options=StepOptions(**options),
    )
    return step.lower(train, IMAGES, LABELS).compile(), train


@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "precision": "mixed"}])
def test_less_memory_and_the_same_gradient(options):
    """To rounding: XLA fuses the second computation with what is around it, and may sum in another order."""
    (plain, train), (remat, again) = (compiled(remat=remat, **options) for remat in (False, True))
    memory = [step.memory_analysis().temp_size_in_bytes for step in (plain, remat)]
    assert memory[1] < 0.75 * memory[0]
    (expected, of_expected), (found, of_found) = plain(train, IMAGES, LABELS), remat(again, IMAGES, LABELS)
    tolerance = 1e-2 if options else 1e-5
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(b, a, atol=tolerance * abs(a).max() + 1e-7),
        (expected.opt_state.trace, expected.state, of_expected),
        (found.opt_state.trace, found.state, of_found),
    )
    assert bits(of_found.correct) == bits(of_expected.correct)


def test_the_blocks():
    blocked = rematerialised(NETWORK)
    assert [path for path, _ in leaves(blocked)] == [path for path, _ in leaves(NETWORK)]
    params, _ = NETWORK.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32))
    assert isinstance(blocked, Blocks)
    assert [[name for name, _ in block.parts] for block in blocked._blocks(params)] == [
        ["conv", "bn", "relu", "drop"],
        ["block1", "relu1"],
        ["inner"],
        ["flatten"],
        ["head"],
    ]
    inner = dict(blocked.parts)["inner"]
    assert [[name for name, _ in b.parts] for b in inner._blocks(params["inner"])] == [["block2", "relu2"], ["block3"]]
    with pytest.raises(ValueError, match="remat goes by the blocks of a chain, and the network is a Conv"):
        rematerialised(Conv(3))


def test_a_run_is_evaluated_and_ends_where_it_does_without(trained, tmp_path):
    result = run(config(tmp_path, remat=True))
    assert result.state.step == 2 * STEPS
    for found, expected in zip(
        jax.tree.leaves(result.state.params), jax.tree.leaves(trained.state.params), strict=True
    ):
        np.testing.assert_allclose(found, expected, atol=1e-2)
    assert result.evaluation.accuracy == pytest.approx(trained.evaluation.accuracy, abs=0.02)
