"""Facts about cross-entropy, of many classes and of two, and about the focal loss."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import ops
from jaxcnn.ops import sigmoid_cross_entropy, softmax_cross_entropy

LOGITS = np.array([[0.5, -1, 2], [1, 1.5, -0.5], [0.2, 0.1, -0.3]])
WEIGHTS = np.array([0.5, 2, 1.5])


def test_a_network_that_knows_nothing_loses_the_logarithm_of_the_classes():
    np.testing.assert_allclose(softmax_cross_entropy(jnp.zeros((2, 10)), jnp.array([3, 9])), np.log(10), rtol=1e-6)
    np.testing.assert_allclose(sigmoid_cross_entropy(jnp.zeros((2, 4)), jnp.ones((2, 4))), np.log(2), rtol=1e-6)


def test_classes_and_their_one_hot_rows_lose_the_same():
    logits, labels = jnp.arange(12.0).reshape(3, 4) / 7, jnp.array([2, 0, 3])
    by_class = softmax_cross_entropy(logits, labels, label_smoothing=0.2)
    for one_hot in (jax.nn.one_hot(labels, 4), jax.nn.one_hot(labels, 4, dtype=jnp.int32)):
        np.testing.assert_allclose(softmax_cross_entropy(logits, one_hot, label_smoothing=0.2), by_class, rtol=1e-6)


def test_the_gradient_is_the_probability_less_the_target():
    logits, labels = jnp.array([[1.0, 2.0, 0.5]]), jnp.array([1])
    dlogits = jax.grad(lambda z: softmax_cross_entropy(z, labels).sum())(logits)
    np.testing.assert_allclose(dlogits, jax.nn.softmax(logits) - jax.nn.one_hot(labels, 3), atol=1e-7)


@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_under_jit_a_label_that_is_no_class_makes_its_example_nan_and_no_other(mode, smoothing):
    @jax.jit
    def both(logits, labels):
        loss, pull = jax.vjp(lambda z: softmax_cross_entropy(z, labels, label_smoothing=smoothing), logits)
        return loss, pull(jnp.ones_like(loss))[0]

    with jaxcnn.backward(mode):
        loss, dlogits = both(jnp.arange(12.0).reshape(4, 3), jnp.array([0, 3, -1, 2]))
    np.testing.assert_array_equal(np.isnan(loss), [False, True, True, False])
    np.testing.assert_array_equal(np.isnan(dlogits), np.isnan(loss)[:, None] * np.ones((1, 3), bool))


def test_labels_are_looked_at_wherever_their_values_are_known():
    logits, labels = jnp.zeros((2, 3)), jnp.array([0, 3])
    with pytest.raises(ValueError, match="labels holds 3"):
        jax.jit(lambda z: softmax_cross_entropy(z, labels))(logits)
    with pytest.raises(ValueError, match="labels holds 3"):
        jax.grad(lambda z: softmax_cross_entropy(z, labels).sum())(logits)


def test_far_logits_lose_exactly_their_distance_and_stay_finite():
    logits = jnp.array([[1e4, -1e4]] * 2, jnp.float32)
    loss, pull = jax.vjp(lambda z: softmax_cross_entropy(z, jnp.array([0, 1])), logits)
    np.testing.assert_array_equal(loss, [0, 2e4])
    np.testing.assert_array_equal(pull(jnp.ones(2))[0], [[0, 0], [1, -1]])

    loss, pull = jax.vjp(sigmoid_cross_entropy, logits, jnp.array([[1.0, 0], [0, 1]]))
    np.testing.assert_array_equal(loss, [0, 1e4])
    assert all(np.isfinite(d).all() for d in pull(jnp.ones(2)))


def test_a_confident_right_answer_keeps_its_small_loss():
    """e⁻²⁰ and not 0: nothing is lost to a difference of large numbers."""
    loss = sigmoid_cross_entropy(jnp.array([20.0, -20.0]), jnp.array([1.0, 0.0]))
    np.testing.assert_allclose(loss, np.exp(-20.0), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int64])
def test_labels_of_any_integer_type(dtype):
    """300 classes are more than a byte can count."""
    logits = np.random.default_rng(0).standard_normal((2, 300))
    labels = np.array([3, 60])
    expected = ops.softmax_cross_entropy(logits, labels)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(ops.softmax_cross_entropy(logits, labels.astype(dtype)), expected)


@pytest.mark.parametrize("label", [-100, 255, 1])
@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
def test_what_is_ignored_loses_nothing_and_learns_nothing(label, mode):
    logits, labels = jnp.asarray(LOGITS), np.array([2, label, 0])

    @jax.jit
    def both(logits, labels):
        loss, pull = jax.vjp(
            lambda z: softmax_cross_entropy(z, labels, label_smoothing=0.2, ignore_index=label), logits
        )
        return loss, pull(jnp.ones_like(loss))[0]

    with jaxcnn.backward(mode):
        loss, dlogits = both(logits, labels)
        rest, drest = both(logits[::2], labels[::2])
    assert loss[1] == 0
    np.testing.assert_array_equal(dlogits[1], [0, 0, 0])
    np.testing.assert_allclose(loss[::2], rest, rtol=1e-6)  # two programs, each rounding in its own way
    np.testing.assert_allclose(dlogits[::2], drest, rtol=1e-6)
    np.testing.assert_allclose(loss.sum() / (labels != label).sum(), rest.mean(), rtol=1e-6)


def test_bytes_can_name_what_is_ignored():
    """The 255 of segmentation masks, and a number that no byte holds."""
    labels = np.array([0, 255, 2], np.uint8)
    assert softmax_cross_entropy(LOGITS, labels, ignore_index=255)[1] == 0
    np.testing.assert_array_equal(
        softmax_cross_entropy(LOGITS, labels % 3, ignore_index=-100), softmax_cross_entropy(LOGITS, labels % 3)
    )


def test_a_class_weight_scales_the_loss_of_its_labels():
    labels = np.array([2, 0, 1])
    plain = softmax_cross_entropy(LOGITS, labels)
    np.testing.assert_allclose(softmax_cross_entropy(LOGITS, labels, WEIGHTS), WEIGHTS[labels] * plain, rtol=1e-6)
    np.testing.assert_allclose(softmax_cross_entropy(LOGITS, labels, np.array([2, 2, 2])), 2 * plain, rtol=1e-6)


def test_focal_is_cross_entropy_with_a_factor():
    """Lin et al.: γ = 0 is cross-entropy, and p = 0.9 has with γ = 2 a hundredth of its loss."""
    logits, labels = np.array([[0.3, -2.0, 5.0]]), np.array([[1.0, 0.0, 0.0]])
    np.testing.assert_allclose(
        ops.focal(logits, labels, alpha=None, gamma=0), sigmoid_cross_entropy(logits, labels), rtol=1e-6
    )
    likely, one = np.array([[np.log(9)]]), np.ones((1, 1))
    cross_entropy = sigmoid_cross_entropy(likely, one)
    np.testing.assert_allclose(ops.focal(likely, one, alpha=None), cross_entropy / 100, rtol=1e-5)
    np.testing.assert_allclose(ops.focal(likely, one, alpha=0.25), cross_entropy / 400, rtol=1e-5)


@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_of_saturated_logits_is_finite_in_every_derivative(gamma, mode):
    """1 - p rounds to 0 beyond 17 and e^-|z| beyond 104: a power of it with γ - 1 < 0 would be infinite."""
    z = jnp.array([-1e4, -200.0, -100, 100, 200, 1e4], jnp.float32)

    def slope(z, label):
        return jax.grad(lambda z: ops.focal(z, jnp.full_like(z, label), gamma=gamma, alpha=None).sum())(z)

    with jaxcnn.backward(mode):
        for label in (0.0, 1.0):
            first, pull = jax.vjp(lambda z, t=label: slope(z, t), z)
            right = jnp.where(
                z > 0, 1 - label, -label
            )  # what is surely right learns nothing; what is wrong has slope 1
            np.testing.assert_allclose(first, right, atol=1e-6)
            assert np.isfinite(pull(jnp.ones_like(z))[0]).all()
            assert np.isfinite(jax.grad(lambda t: ops.focal(z, t, gamma=gamma).sum())(jnp.full_like(z, label))).all()
