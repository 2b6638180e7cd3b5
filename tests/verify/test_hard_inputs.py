"""Wrong only on some values: at a kink beside 0, or for a dy that is very large or small."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.verify import check, check_backward

X = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)


KINKED = {
    "hard_tanh": (jax.nn.hard_tanh, lambda x: jnp.where(x == 1, 7.0, (x > -1) & (x < 1))),
    "clip": (lambda x: jnp.clip(x, -1, 1), lambda x: (x > -1) & (x < 1)),  # JAX shares the slope at 1
    "hinge": (lambda x: jnp.maximum(0.0, 1 - x), lambda x: -1.0 * (x < 1)),
    "at a number of its own": (lambda x: jnp.minimum(x, 2.5), lambda x: x < 2.5),
}


@pytest.mark.parametrize("plain, slope", KINKED.values(), ids=KINKED)
def test_a_wrong_slope_at_a_kink_beside_0_is_found(plain, slope):
    report = check_backward(plain, lambda residuals, dy: (dy * slope(*residuals),), (X,))
    (failure,) = (f for f in report.failures if f.check == "autodiff")
    assert (failure.input, failure.region) == ("whole", "kink")
    assert check(plain, (X,), reference=plain).ok


@pytest.mark.parametrize(
    "of_dy",
    [lambda dy: jnp.clip(dy, -100, 100), lambda dy: jnp.where(abs(dy) < 1e-3, 0, dy)],
    ids=["clipped", "small-to-0"],
)
def test_a_backward_that_changes_large_or_small_dy_is_not_linear(of_dy):
    def tanh_back(residuals, dy):
        return (of_dy(dy) * (1 - jnp.tanh(residuals[0]) ** 2),)

    assert {f.check for f in check_backward(jnp.tanh, tanh_back, (X,)).failures} == {"linear"}
