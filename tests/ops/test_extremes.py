"""Where floats end: infinities, NaN, saturated functions, and constants whose mean is rounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import kernels, ops
from jaxcnn.ops.rule import RULES
from tests.ops.cases import FIRST

INF, NAN = np.inf, np.nan


def grads(f, *arrays):
    return jax.grad(lambda *arrays: f(*arrays).sum(), range(len(arrays)))(*map(jnp.asarray, arrays))


# A class that is ruled out has the logit -inf; PyTorch and optax give the loss of the rest.

MASKED = np.array([[0.5, -INF, 1.5], [-INF, 0.0, -INF]], np.float32)
LABELS = np.array([2, 1])
REST = np.array([np.log1p(np.exp(-1.0)), 0.0])


@pytest.mark.parametrize("labels", [LABELS, np.eye(3, dtype=np.float32)[LABELS]], ids=["integers", "one-hot"])
@pytest.mark.parametrize("weights", [None, np.ones(3, np.float32)], ids=["", "weights"])
def test_cross_entropy_of_masked_logits_is_that_of_the_others(labels, weights):
    def loss(logits):
        return ops.softmax_cross_entropy(logits, labels, weights)

    np.testing.assert_allclose(loss(MASKED), REST, rtol=1e-6)
    p = np.exp(-REST[0])
    np.testing.assert_allclose(grads(loss, MASKED)[0], [[1 - p, 0, p - 1], [0, 0, 0]], rtol=1e-5, atol=1e-7)


def test_a_masked_class_adds_nothing_to_the_gradient_of_weights_and_labels():
    weights, soft = np.ones(3, np.float32), np.eye(3, dtype=np.float32)[LABELS]
    d_weights, d_soft = grads(lambda w, t: ops.softmax_cross_entropy(MASKED, t, w), weights, soft)
    np.testing.assert_allclose(d_weights, [0, 0, REST[0]], rtol=1e-6)
    assert np.isfinite(d_soft).all()


def test_a_label_that_is_masked_has_an_infinite_loss():
    assert ops.softmax_cross_entropy(MASKED, np.array([1, 1])).tolist() == [INF, 0]


@pytest.mark.parametrize("labels", [LABELS, np.eye(3, dtype=np.float32)[LABELS]], ids=["integers", "one-hot"])
def test_nll_counts_only_what_the_labels_name(labels):
    half = -np.log(2)
    log_p = np.array([[half, -INF, half], [-INF, 0.0, -INF]], np.float32)
    np.testing.assert_allclose(ops.nll(log_p, labels), [np.log(2), 0], rtol=1e-6)
    assert grads(lambda log_p: ops.nll(log_p, labels), log_p)[0].tolist() == [[0, 0, -1], [0, -1, 0]]
    (d,) = grads(lambda w: ops.nll(log_p, labels, w), np.ones(3, np.float32))
    np.testing.assert_allclose(d, [0, 0, np.log(2)], rtol=1e-6)


@pytest.mark.parametrize("weights", [None, np.ones(3, np.float32)], ids=["", "weights"])
def test_nll_of_an_ignored_example_is_0_and_of_no_class_nan(weights):
    log_p = np.full((3, 3), -1.0, np.float32)
    log_p[0] = NAN

    @jax.jit
    def loss(log_p, labels):
        return ops.nll(log_p, labels, weights, ignore_index=-1)

    labels = np.array([-1, 2, 7])
    assert loss(log_p, labels).tolist() == pytest.approx([0, 1, NAN], nan_ok=True)
    (d,) = grads(lambda log_p: loss(log_p, labels), log_p)
    assert d[:2].tolist() == [[0, 0, 0], [0, 0, -1]] and np.isnan(d[2]).any()


@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_of_masked_scores(p):
    def loss(scores):
        return ops.multi_margin(scores, LABELS, p=p)

    scores = np.array([[1.0, -INF, 1.5], [-INF, 0.0, -INF]], np.float32)
    assert loss(scores).tolist() == pytest.approx([0.5**p / 3, 0])
    slope = p * 0.5 ** (p - 1) / 3
    np.testing.assert_allclose(grads(loss, scores)[0], [[slope, 0, -slope], [0, 0, 0]], rtol=1e-6)


@pytest.mark.parametrize("logit, label", [(-INF, 0.0), (INF, 1.0)])
@pytest.mark.parametrize(
    "loss",
    [
        ops.sigmoid_cross_entropy,
        lambda z, t: ops.sigmoid_cross_entropy(z, t, jnp.float32(3)),
        ops.focal,
        lambda z, t: ops.focal(z, t, alpha=None, gamma=0),
        lambda z, t: ops.focal(z, t, alpha=1.0, gamma=0.5),
    ],
    ids=["sigmoid", "weighted", "focal", "gamma 0", "alpha 1"],
)
def test_a_logit_that_is_surely_right_costs_nothing(loss, logit, label):
    z, t = np.array([[logit]], np.float32), np.array([[label]], np.float32)
    assert loss(z, t).tolist() == [0]
    assert grads(lambda z: loss(z, t), z)[0].tolist() == [[0]]


def test_a_sure_logit_gives_its_positive_weight_no_gradient():
    z, t = np.array([[-INF, 0.0]], np.float32), np.array([[0.0, 1.0]], np.float32)
    (d,) = grads(lambda w: ops.sigmoid_cross_entropy(z, t, w), np.float32(2))
    assert d == pytest.approx(np.log(2) / 2)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}, {"class_weights": np.ones(3, np.float32)}], ids=str)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_an_ignored_example_counts_for_nothing_whatever_its_logits_are(options, bad):
    logits = np.array([[bad, bad, bad], [0.0, 1.0, 2.0]], np.float32)

    def loss(logits):
        return ops.softmax_cross_entropy(logits, np.array([-1, 0]), ignore_index=-1, **options)

    assert loss(logits)[0] == 0 and loss(logits)[1] > 0
    (d,) = grads(loss, logits)
    assert d[0].tolist() == [0, 0, 0] and np.isfinite(d).all()


# 1 - σ(z) has no digits left where σ(z) rounds to 1.


@pytest.mark.parametrize("dtype, eps", [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("z", [-80.0, -40.0, -17.0, -15.0, 0.3, 14.0, 15.0, 17.0, 40.0, 80.0])
@pytest.mark.parametrize("t", [0.0, 1.0])
def test_a_saturated_sigmoid_keeps_the_digits_of_its_gradient(z, t, dtype, eps):
    right = (1 - t) / (1 + np.exp(-z)) - t / (1 + np.exp(z))
    with jax.enable_x64(True):
        logits, labels, one = np.full((1, 1), z, dtype), np.full((1, 1), t, dtype), np.asarray(1, dtype)
        ours = [
            grads(lambda z: ops.sigmoid_cross_entropy(z, labels), logits),
            grads(lambda z: ops.sigmoid_cross_entropy(z, labels, one), logits),
            grads(lambda z: ops.focal(z, labels, alpha=None, gamma=0), logits),
        ]
    for (d,) in ours:
        np.testing.assert_allclose(d, right, rtol=eps)


@pytest.mark.parametrize("dtype, eps", [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("z", [-80.0, -17.0, -15.0, 0.3, 8.0, 15.0, 17.0, 40.0, 80.0])
def test_of_a_probability_near_1_what_it_lacks_keeps_its_digits(z, dtype, eps):
    """One logit of z and two of 0: the loss is log (1 + 2 e^-z)."""
    lack, others = 2 / (np.exp(z) + 2), 1 / (np.exp(z) + 2)
    with jax.enable_x64(True):
        logits, label, weights = np.array([[0, z, 0]], dtype), np.array([1]), np.ones(3, dtype)
        losses = [
            lambda x: ops.softmax_cross_entropy(x, label),
            lambda x: ops.softmax_cross_entropy(x, np.eye(3, dtype=dtype)[label], weights),
            lambda x: ops.softmax_cross_entropy(x, label, weights, ignore_index=0),
            lambda x: -ops.log_softmax(x)[:, 1],
        ]
        for loss in losses:
            np.testing.assert_allclose(loss(logits), [np.log1p(2 * np.exp(-z))], rtol=eps)
            np.testing.assert_allclose(*grads(loss, logits), [[others, -lack, others]], rtol=eps)
        np.testing.assert_allclose(
            *grads(ops.sigmoid, logits), [[0.25, 1 / (np.exp(-z) + 2 + np.exp(z)), 0.25]], rtol=eps
        )


def test_what_a_weight_of_0_rules_out_counts_for_nothing():
    z, label, nothing = np.array([[NAN]], np.float32), np.ones((1, 1), np.float32), np.float32(0)
    for loss in (
        lambda z: ops.sigmoid_cross_entropy(z, label, nothing),
        lambda z: ops.focal(z, 1 - label, alpha=1.0, gamma=0),
    ):
        assert loss(z).tolist() == [0]
        assert grads(loss, z)[0].tolist() == [[0]]


@pytest.mark.parametrize("z", [-INF, -20.0, 0.3, 20.0])
@pytest.mark.parametrize("w", [0.0, 0.5, 1.0])
def test_the_gradient_of_a_label_keeps_its_digits_whatever_the_weight(z, w):
    surprise = w * np.logaddexp(0, -z) if w else 0.0
    (d,) = grads(lambda t: ops.sigmoid_cross_entropy(np.float32([[z]]), t, np.float32(w)), np.zeros((1, 1), np.float32))
    np.testing.assert_allclose(d, [[surprise - np.logaddexp(0, z)]], rtol=1e-6)


# A NaN that goes in comes out.

MAY_DROP_IT = {"dropout", "spatial_dropout", "stochastic_depth"}


@pytest.mark.parametrize("rule", sorted(FIRST.keys() - MAY_DROP_IT))
def test_a_nan_that_goes_in_comes_out(rule):
    case = FIRST[rule]
    arrays = case.arrays(np.random.default_rng(0))
    first = np.full_like(arrays[0], NAN)

    @jax.jit
    def door(x):
        return RULES[rule](x, *arrays[1:], **case.options)

    assert np.isnan(jax.tree.leaves(door(first))[0]).any()


@pytest.mark.parametrize("options", [{}, {"p": 1}, {"p": 3, "swap": True}], ids=str)
def test_a_nan_in_any_embedding_of_a_triplet_comes_out(options):
    a = jnp.array([[1.0, 2.0]])
    for place in range(3):
        arrays = [a, a + 1, a + 3]
        arrays[place] = arrays[place].at[0, 0].set(NAN)
        assert np.isnan(ops.triplet(*arrays, **options)).all()


# Padding never wins, and a NaN does.


@pytest.mark.parametrize(
    "length, options, right",
    [
        (1, {"size": 2, "padding": ((1, 0),)}, [1]),
        (3, {"size": 3, "stride": 1, "padding": 1}, [2, 1, 0]),
        (3, {"size": 2, "stride": 1, "padding": 1, "dilation": 2}, [1, 2, 0]),
        (2, {"size": 2, "stride": 2, "padding": ((0, 1),), "ceil_mode": True}, [1, 0]),
        (2, {"size": 40, "stride": 1, "padding": 39}, [40, 1]),
    ],
)
def test_padding_does_not_win_where_all_is_minus_infinity(length, options, right):
    x = np.full((1, length, 1), -INF, np.float32)
    (dx,) = grads(lambda x: ops.max_pool(x, **options), x)
    assert dx.ravel().tolist() == right


def test_the_first_nan_gets_the_gradient():
    x = np.array([1, NAN, 3, NAN], np.float32).reshape(1, 4, 1)
    for pool in (ops.global_max_pool, lambda x: ops.max_pool(x, 4), lambda x: ops.adaptive_max_pool(x, 1)):
        (dx,) = grads(pool, x)
        assert dx.ravel().tolist() == [0, 1, 0, 0]
    x = np.concatenate([x, np.ones((1, 40, 1), np.float32)], 1)
    (dx,) = grads(lambda x: ops.max_pool(x, 40, stride=1), x)
    assert dx.ravel()[:5].tolist() == [0, 2, 0, 2, 1] and dx.sum() == 5


# The last bit of a mean, over √ε.


@pytest.mark.parametrize("value", [12345.6, 1e-3, -7.7e6, 1e30])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_constant_is_normalised_to_0(value, dtype):
    """XLA may round a mean in one way where it is subtracted and in another where its square is summed."""
    one, none = jnp.ones(4), jnp.zeros(4)
    for shape in ((3, 5, 7, 4), (1, 3, 1, 4)):
        x = jnp.full(shape, value, dtype)
        norms = {
            "group": ops.group_norm(x, one, none, groups=2),
            "instance": ops.instance_norm(x, one, none),
            "layer": ops.layer_norm(x, one, none),
            "weights": ops.weight_standardize(x),
            "batch": ops.batch_norm(x, one, none)[0],
        }
        with kernels.use("xla"):
            norms["batch, by XLA"] = ops.batch_norm(x, one, none)[0]
        with jaxcnn.backward("autodiff"):
            norms["batch, plain"] = ops.batch_norm(x, one, none)[0]
        for name, y in norms.items():
            assert not np.any(y), name
