"""Facts about the losses that the table of cases does not say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import ops
from jaxcnn.ops import mse, sigmoid_cross_entropy, softmax_cross_entropy


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


def test_mean_over_all_axes_but_the_first():
    assert mse(jnp.ones((2, 3, 4)), jnp.zeros((2, 3, 4))).tolist() == [1, 1]
    assert mse(jnp.array([3.0, 1.0]), jnp.array([1.0, 1.0])).tolist() == [4, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int64])
def test_labels_of_any_integer_type(dtype):
    """300 classes are more than a byte can count."""
    logits = np.random.default_rng(0).standard_normal((2, 300))
    labels = np.array([3, 60])
    expected = ops.softmax_cross_entropy(logits, labels)
    assert np.isfinite(expected).all()
    np.testing.assert_array_equal(ops.softmax_cross_entropy(logits, labels.astype(dtype)), expected)


def test_an_empty_batch_has_no_losses():
    nothing = np.zeros((0, 3), np.float32)
    for loss in (
        ops.mse,
        ops.l1,
        ops.huber,
        ops.sigmoid_cross_entropy,
        ops.focal,
        ops.softmax_cross_entropy,
        ops.kl_divergence,
        ops.hinge,
    ):
        assert loss(nothing, nothing).shape == (0,)
    assert ops.multi_margin(nothing, np.zeros(0, int)).shape == (0,)
    assert ops.triplet(nothing, nothing, nothing).shape == (0,)


LOGITS = np.array([[0.5, -1, 2], [1, 1.5, -0.5], [0.2, 0.1, -0.3]])
TARGET = np.array([[0.2, 0.3, 0.5], [0, 0.6, 0.4], [1, 0, 0]])
WEIGHTS = np.array([0.5, 2, 1.5])
LABELS = np.array([0, 1, -100])

# A loss, what PyTorch 2.14's returns for these numbers (printed to 6 digits), and its gradient for the first row.
OF_PYTORCH = {
    "cross_entropy, weight": (
        lambda z: softmax_cross_entropy(z, LABELS, WEIGHTS, ignore_index=-100),
        [0.870656, 1.109914, 0.0],
        [-0.412355, 0.019556, 0.392799],
    ),
    "cross_entropy, weight, label_smoothing": (
        lambda z: softmax_cross_entropy(z, LABELS, WEIGHTS, ignore_index=-100, label_smoothing=0.3),
        [1.380983, 1.323922, 0.0],
        [-0.268532, -0.170666, 0.439198],
    ),
    "cross_entropy of probabilities, weight, label_smoothing": (
        lambda z: softmax_cross_entropy(z, TARGET, WEIGHTS, label_smoothing=0.3),
        [2.381455, 2.086228, 0.785621],
        [0.128036, -0.564656, 0.43662],
    ),
    "binary_cross_entropy_with_logits, pos_weight": (
        lambda z: sigmoid_cross_entropy(z, TARGET, WEIGHTS),
        [0.997523, 1.034805, 0.532607],
        [0.153404, -0.083459, 0.116999],
    ),
    "l1_loss": (lambda z: ops.l1(z, TARGET), [1.033333, 0.933333, 0.4], [0.333333, -0.333333, 0.333333]),
    "huber_loss": (
        lambda z: ops.huber(z, TARGET, delta=0.4),
        [0.335, 0.293333, 0.096667],
        [0.1, -0.133333, 0.133333],
    ),
    "kl_div": (
        lambda z: ops.kl_divergence(jax.nn.log_softmax(z), TARGET),
        [0.411658, 0.681945, 0.920828],
        [-0.02471, -0.260887, 0.285597],
    ),
    "multi_margin_loss": (
        lambda z: ops.multi_margin(z, np.array([0, 1, 2]), margin=0.7),
        [0.733333, 0.066667, 0.766667],
        [-0.333333, 0.0, 0.333333],
    ),
    "multi_margin_loss, p": (
        lambda z: ops.multi_margin(z, np.array([0, 1, 2]), p=2),
        [2.083333, 0.083333, 1.403333],
        [-1.666667, 0.0, 1.666667],
    ),
    "triplet_margin_loss": (
        lambda z: ops.triplet(z, TARGET, LOGITS[[1, 2, 0]], margin=2),
        [0.436772, 1.993833, 0.293132],
        [0.289469, 0.052564, 0.047063],
    ),
}


@pytest.mark.parametrize("name", OF_PYTORCH)
def test_the_same_numbers_as_pytorch(name, x64):
    loss, values, slope = OF_PYTORCH[name]
    y, pull = jax.vjp(loss, jnp.asarray(LOGITS))
    np.testing.assert_allclose(y, values, atol=1e-6)
    np.testing.assert_allclose(pull(jnp.ones(3))[0][0], slope, atol=1e-6)


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
    np.testing.assert_array_equal(loss[::2], rest)
    np.testing.assert_array_equal(dlogits[::2], drest)
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


@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
def test_at_a_kink_the_gradient_is_the_one_that_the_docstring_names(mode):
    def slope(loss, *arrays):
        return jax.grad(lambda x: loss(x, *arrays[1:]).sum())(arrays[0]).ravel().tolist()

    with jaxcnn.backward(mode):
        assert slope(ops.l1, jnp.array([1.0, 2, 0]), jnp.array([1.0, 1, 1])) == [0, 1, -1]
        assert slope(ops.hinge, jnp.array([1.0, 0.5, 0.5, -1]), jnp.array([1, 1, -1, -1])) == [0, -1, 1, 0]
        assert slope(ops.multi_margin, jnp.array([[2.0, 1, 1.5, 0]]), jnp.array([0])) == [-0.25, 0, 0.25, 0]
        kept = functools.partial(ops.triplet, margin=5, epsilon=0)
        anchor, positive, negative = jnp.zeros((1, 2)), jnp.array([[3.0, 4]]), jnp.array([[-6.0, 8]])
        assert slope(kept, anchor, positive, negative) == [0, 0]


@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
def test_an_anchor_that_is_its_positive_has_a_finite_gradient(mode):
    anchor, negative = jnp.array([[1.0, 2.0]]), jnp.array([[4.0, 6.0]])

    def slope(epsilon):
        return jax.grad(lambda a: ops.triplet(a, anchor, negative, margin=9, epsilon=epsilon).sum())(anchor)

    with jaxcnn.backward(mode):
        np.testing.assert_allclose(slope(0), [[0.6, 0.8]], rtol=1e-6)  # from the negative alone
        np.testing.assert_allclose(slope(1e-6), [[0.6 + 0.5**0.5, 0.8 + 0.5**0.5]], rtol=1e-6)  # and along ε


@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
def test_a_target_probability_of_0_adds_nothing_and_learns_nothing(mode):
    log_p, q = jnp.array([[-jnp.inf, jnp.log(0.25), jnp.log(0.75)]]), jnp.array([[0.0, 0.25, 0.75]])
    with jaxcnn.backward(mode):
        loss, pull = jax.vjp(ops.kl_divergence, log_p, q)
        dlog_p, dq = pull(jnp.ones(1))
    assert loss.tolist() == [0]
    np.testing.assert_allclose(dlog_p, -q)
    np.testing.assert_allclose(dq, [[0, 1, 1]], rtol=1e-6)


def test_under_jit_multi_margin_is_nan_for_a_label_that_is_no_class():
    loss = jax.jit(ops.multi_margin)(jnp.asarray(LOGITS), jnp.array([0, 3, -1]))
    np.testing.assert_array_equal(np.isnan(loss), [False, True, True])
