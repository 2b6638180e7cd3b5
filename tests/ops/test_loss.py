"""Facts about the losses that the table of cases does not say: PyTorch's numbers, and what the kinks give."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import ops
from jaxcnn.ops import mse, sigmoid_cross_entropy, softmax_cross_entropy


def test_mean_over_all_axes_but_the_first():
    assert mse(jnp.ones((2, 3, 4)), jnp.zeros((2, 3, 4))).tolist() == [1, 1]
    assert mse(jnp.array([3.0, 1.0]), jnp.array([1.0, 1.0])).tolist() == [4, 0]


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


SURE, LABEL = jnp.array([[200.0, 0, -40], [200, 0, -40]]), np.array([0, 0])
WITHOUT_LOSS = {
    "softmax_cross_entropy": (lambda z: softmax_cross_entropy(z, LABEL), SURE),
    "ignored": (lambda z: softmax_cross_entropy(z, LABEL, ignore_index=0), SURE),
    "weight-0": (lambda z: softmax_cross_entropy(z, LABEL, jnp.array([0.0, 1, 1])), SURE),
    "no-label": (lambda z: softmax_cross_entropy(z, jnp.zeros((2, 3))), SURE),
    "nll": (lambda z: ops.nll(z, LABEL), jnp.array([[0.0, -60, -jnp.inf]] * 2)),
    "nll-ignored": (lambda z: ops.nll(z, LABEL, ignore_index=0), SURE),
    "kl_divergence": (lambda z: ops.kl_divergence(z, jnp.array([[1.0, 0, 0]])), jnp.array([[0.0, -60, -jnp.inf]])),
    "sigmoid_cross_entropy": (lambda z: sigmoid_cross_entropy(z, jnp.ones((2, 3))), jnp.full((2, 3), 200.0)),
    "focal": (lambda z: ops.focal(z, jnp.ones((2, 3))), jnp.full((2, 3), 200.0)),
    "hinge": (lambda z: ops.hinge(z, jnp.ones((2, 3))), jnp.full((2, 3), 2.0)),
    "multi_margin": (lambda z: ops.multi_margin(z, LABEL), SURE),
}


def test_no_loss_is_0_and_not_minus_0():
    @jax.jit
    def of_all(arrays):
        return {name: jax.vjp(WITHOUT_LOSS[name][0], z) for name, z in arrays.items()}

    for name, (loss, pull) in of_all({name: z for name, (_, z) in WITHOUT_LOSS.items()}).items():
        (gradient,) = pull(jnp.ones_like(loss))
        for found in (loss, gradient):
            assert not np.signbit(np.asarray(found)[np.asarray(found) == 0]).any(), (name, found)
        np.testing.assert_array_equal(loss, 0, err_msg=name)
