"""What a GPU or a TPU is given of each family: XLA's own convolutions, channels last, and nothing moved.

That is of a whole training step, from bytes to the optimizer's update, in float32 and mixed with bfloat16, and of an
inference.
"""

import re

import jax
import jax.numpy as jnp
import optax
import pytest

from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step
from tests.models.test_models import ENDS_IN_PIXELS, ONE_OF_EACH, SMALL, smallest

FORWARD = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
# XLA for GPUs finds cuDNN's two backward passes by these, the first of a kernel that is flipped and no more.
TO_INPUT, TO_KERNEL = "[b, 0, 1, f]x[0, 1, o, i]->[b, 0, 1, f]", "[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]"
GROUPED = "[0, 1, 4, 3, 2]"  # a grouped kernel, whose groups stay where they are


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def programs(request):
    """A training step in float32 and one mixed with bfloat16, and an inference, traced."""
    network, (shape, _) = smallest(request.param), SMALL[request.param]
    optimizer = optax.sgd(0.1, momentum=0.9)

    def start():
        params, state = network.init(jax.random.key(0), jnp.zeros((1, *shape)))
        return TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(1))

    def step(precision):
        return make_train_step(
            network,
            optimizer,
            lambda y, labels: jnp.sum(jnp.reshape(y, (len(y), -1)) ** 2, -1),
            normalise=lambda images: images / 128 - 1,
            options=StepOptions(precision=precision),
        )

    train = jax.eval_shape(start)
    images, labels = jax.ShapeDtypeStruct((4, *shape), jnp.uint8), jax.ShapeDtypeStruct((4,), jnp.int32)
    if request.param in ENDS_IN_PIXELS:
        x = jax.ShapeDtypeStruct((4, *shape), jnp.float32)
        labels = jax.eval_shape(network, train.params, train.state, x)
    steps = [step(precision).trace(train, images, labels) for precision in ("float32", "mixed")]
    x = jax.ShapeDtypeStruct((4, *shape), jnp.float32)
    return *steps, jax.jit(lambda p, s, x: network(p, s, x)).trace(train.params, train.state, x)


def convolutions(text):
    """Of each: how its axes lie, and the types of its operands and its result."""
    lines = [line for line in text.splitlines() if "stablehlo.convolution(" in line]
    found = [(re.search(r"dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])", line)[1], line.split(" : ")[-1]) for line in lines]
    return [(axes, set(re.findall(r"x(b?f\d+)>", types))) for axes, types in found]


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_convolutions_are_xlas_own_and_nothing_is_moved_around_them(programs, platform):
    every = {FORWARD, TO_INPUT, TO_KERNEL}
    wanted = (every, {"f32"}), (every, {"bf16"}), ({FORWARD, TO_INPUT}, {"f32"})
    for traced, (known, types) in zip(programs, wanted, strict=True):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert "custom_call" not in text and "f64" not in text
        found = convolutions(text)
        assert found and {axes for axes, _ in found} <= known
        assert all(of_one == types for _, of_one in found)
        moved = re.findall(r"stablehlo\.transpose .*?dims = (\[.*?\])", text)
        assert {axes for axes in moved if axes.count(",") >= 3} <= {GROUPED}


def test_a_backward_pass_to_the_input_is_of_the_flipped_kernel_itself(programs):
    for traced in programs[:2]:
        text = traced.lower(lowering_platforms=("cuda",)).as_text()
        flipped = set(re.findall(r"(%\S+) = stablehlo\.reverse", text))
        lines = [line for line in text.splitlines() if TO_INPUT in line]
        operands = [re.search(r"convolution\(%\S+, (%\S+)\)", line)[1] for line in lines]
        assert set(operands) <= flipped
