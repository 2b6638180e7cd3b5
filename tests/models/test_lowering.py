"""What a GPU or a TPU is given of each family: XLA's own convolutions, channels last, float32, and nothing moved."""

import re

import jax
import jax.numpy as jnp
import pytest

from tests.models.test_models import ONE_OF_EACH, SMALL, smallest

FORWARD = "[b, 0, 1, f]x[0, 1, i, o]->[b, 0, 1, f]"
# XLA for GPUs finds cuDNN's two backward passes by these, the first of a kernel that is flipped and no more.
TO_INPUT, TO_KERNEL = "[b, 0, 1, f]x[0, 1, o, i]->[b, 0, 1, f]", "[f, 0, 1, b]x[i, 0, 1, o]->[0, 1, b, f]"
GROUPED = "[0, 1, 4, 3, 2]"  # a grouped kernel, whose groups stay where they are


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def programs(request):
    """A training step's gradient and an inference, traced."""
    network, (shape, _) = smallest(request.param), SMALL[request.param]
    x = jax.ShapeDtypeStruct((4, *shape), jnp.float32)
    key = jax.eval_shape(lambda: jax.random.key(0))
    params, state = jax.eval_shape(network.init, key, x)

    def loss(params, state, x, key):
        y, new = network.apply(params, state, x, train=True, key=key)
        return jnp.sum(y**2), new

    train = jax.jit(jax.value_and_grad(loss, has_aux=True)).trace(params, state, x, key)
    return train, jax.jit(lambda p, s, x: network(p, s, x)).trace(params, state, x)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_convolutions_are_xlas_own_and_nothing_is_moved_around_them(programs, platform):
    for traced, known in zip(programs, ({FORWARD, TO_INPUT, TO_KERNEL}, {FORWARD, TO_INPUT}), strict=True):
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        assert "custom_call" not in text and "f64" not in text
        numbers = re.findall(r"dim_numbers = (\[.*?\]x\[.*?\]->\[.*?\])", text)
        assert numbers and set(numbers) <= known
        moved = re.findall(r"stablehlo\.transpose .*?dims = (\[.*?\])", text)
        assert {axes for axes in moved if axes.count(",") >= 3} <= {GROUPED}


def test_a_backward_pass_to_the_input_is_of_the_flipped_kernel_itself(programs):
    text = programs[0].lower(lowering_platforms=("cuda",)).as_text()
    flipped = set(re.findall(r"(%\S+) = stablehlo\.reverse", text))
    lines = [line for line in text.splitlines() if TO_INPUT in line]
    operands = [re.search(r"convolution\(%\S+, (%\S+)\)", line)[1] for line in lines]
    assert set(operands) <= flipped
