"""What float32, TensorFloat-32 and bfloat16 give in a convolution and a matrix product, and what asks for which."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops
from tests.gpu.oracle import off_by, on_cpu

OPTIONS = {"stride": (2, 1), "padding": ((1, 1), (0, 2)), "groups": 2}
RNG = np.random.default_rng(0)
X, KERNEL = (RNG.standard_normal(shape, np.float32) for shape in [(8, 17, 16, 32), (3, 3, 16, 64)])
DY = RNG.standard_normal((8, 9, 16, 64), np.float32)
WIDE = [RNG.standard_normal((256, 512), np.float32), RNG.standard_normal((512, 256), np.float32)]


def passes(x, kernel, dy, precision=None):
    y, pull = jax.vjp(lambda x, kernel: ops.conv(x, kernel, **OPTIONS, precision=precision), x, kernel)
    return y, *pull(dy.astype(y.dtype))


def rounded(*arrays):
    return [np.asarray(jnp.asarray(a, jnp.bfloat16), np.float32) for a in arrays]


# The rounding of an operand is 2⁻²⁴ of it in float32, 2⁻¹¹ in TensorFloat-32 and 2⁻⁹ in bfloat16, whose results are
# rounded as well. In a sum of products at random these grow with the root of their number, as the sum itself does.
@pytest.mark.parametrize("asked, most", [("float32", 2e-5), ("tensorfloat32", 2e-3)])
def test_convolution(asked, most):
    with jax.default_matmul_precision(asked):
        found = jax.jit(passes)(X, KERNEL, DY)
    assert off_by(found, on_cpu(passes, X, KERNEL, DY)) < most


@pytest.mark.parametrize("asked, most", [("float32", 2e-5), ("tensorfloat32", 2e-3)])
def test_matrix_product(asked, most):
    with jax.default_matmul_precision(asked):
        found = jax.jit(ops.dense)(*WIDE)
    assert off_by(found, on_cpu(ops.dense, *WIDE)) < most


def test_float32_can_be_asked_for_by_the_convolution_itself():
    found = jax.jit(lambda *arrays: passes(*arrays, "float32"))(X, KERNEL, DY)
    assert off_by(found, on_cpu(passes, X, KERNEL, DY)) < 2e-5


def test_rounding_to_bfloat16_is_the_same_as_anywhere():
    """Operands are rounded and their products summed in float32: "the same numbers on every machine"."""
    found = jax.jit(lambda *arrays: passes(*arrays, "bfloat16"))(X, KERNEL, DY)
    assert off_by(found, on_cpu(passes, *rounded(X, KERNEL, DY))) < 2e-5
    with jax.default_matmul_precision("float32"):  # which the argument overrules
        again = jax.jit(lambda *arrays: passes(*arrays, "bfloat16"))(X, KERNEL, DY)
    assert off_by(again, on_cpu(passes, *rounded(X, KERNEL, DY))) < 2e-5


def test_arrays_in_bfloat16():
    arrays = [jnp.asarray(a, jnp.bfloat16) for a in (X, KERNEL, DY)]
    found = jax.jit(passes)(*arrays)
    assert {a.dtype for a in found} == {jnp.dtype(jnp.bfloat16)}
    assert off_by(found, on_cpu(passes, *rounded(X, KERNEL, DY))) < 8e-3


def test_places_and_pixels_keep_their_digits():
    """Resizing and sampling are matrix products, too, which in TensorFloat-32 would move pixels by a tenth of 255."""
    image = RNG.integers(0, 256, (2, 40, 40, 3)).astype(np.float32)

    def resized(image):
        grid = ops.affine_grid(jnp.asarray([[[0.9, 0.1, 0.0], [-0.1, 0.9, 0.0]]] * 2, image.dtype), (30, 30))
        return ops.resize_bilinear(image, (17, 23)), ops.adaptive_avg_pool(image, (7, 7)), grid

    assert off_by(jax.jit(resized)(image), on_cpu(resized, image)) < 1e-6
