"""Weight and spectral normalisation around layers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.layers import (
    Activation,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    SpectralNorm,
    WeightNorm,
    chain,
    summary,
)

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (2, 5, 4, 6))
LAYERS = [
    Conv(4, (3, 2), groups=2),
    ConvTranspose(4, 3, stride=2),
    ConvTranspose(4, 3, groups=2),
    DepthwiseConv(multiplier=2),
    Dense(4),
]
each_layer = pytest.mark.parametrize("layer", LAYERS, ids=repr)


@each_layer
def test_a_fresh_weight_norm_changes_nothing(layer):
    params, state = WeightNorm(layer).init(KEY, X)
    bare, _ = layer.init(KEY, X)
    features = bare["bias"].size
    assert params.keys() - bare.keys() == {"scale"} and params["scale"].shape == (features,) and state == {}
    jax.tree.map(np.testing.assert_array_equal, {name: params[name] for name in bare}, bare)
    np.testing.assert_allclose(WeightNorm(layer)(params, X), layer(bare, X), rtol=1e-4, atol=1e-5)


@each_layer
def test_the_length_of_each_output_channel_is_its_scale(layer):
    """The direction's length does not count, and of the scales each moves its own channel alone."""
    net = WeightNorm(layer)
    params, _ = net.init(KEY, X)
    y = net(params, X)
    np.testing.assert_allclose(net({**params, "kernel": 7 * params["kernel"]}, X), y, rtol=1e-4, atol=1e-4)
    factors = 1.0 + jnp.arange(len(params["scale"]))
    scaled = net({**params, "scale": factors * params["scale"]}, X)
    np.testing.assert_allclose(scaled, factors * y, rtol=1e-4, atol=1e-4)
    unit = net({**params, "scale": jnp.ones_like(params["scale"])}, X)
    np.testing.assert_allclose(y, params["scale"] * unit, rtol=1e-4, atol=1e-4)


def kernel_of(net, params, state):
    """What a Dense works with, seen from outside."""
    zero = net.apply(params, state, jnp.zeros((1, 5)))[0]
    return np.asarray(net.apply(params, state, jnp.eye(5))[0] - zero)


def test_weight_norm_in_numbers(x64):
    net = WeightNorm(Dense(3))
    v, g = np.random.default_rng(0).standard_normal((5, 3)), np.array([2.0, -1.0, 0.5])
    params = {"kernel": jnp.asarray(v), "scale": jnp.asarray(g), "bias": jnp.ones(3)}
    np.testing.assert_allclose(kernel_of(net, params, {}), g * v / np.linalg.norm(v, axis=0), rtol=1e-10)


def test_spectral_norm_in_training_is_the_largest_singular_value(x64):
    net = SpectralNorm(Dense(3), steps=40)
    params, state = net.init(KEY, jnp.zeros((1, 5), jnp.float64))
    assert set(params) == {"kernel", "bias"}
    kernel = np.random.default_rng(0).standard_normal((5, 3))  # another one than u has seen
    params = params | {"kernel": jnp.asarray(kernel)}
    _, state = net.apply(params, state, jnp.zeros((1, 5)), train=True)
    np.testing.assert_allclose(kernel_of(net, params, state), kernel / np.linalg.norm(kernel, 2), rtol=1e-8)
    assert net.apply(params, state, jnp.zeros((1, 5)))[1] == state


@each_layer
def test_a_fresh_spectral_norm_is_near(layer):
    """u has been turned on the fresh kernel: σ is at most the largest singular value, and hardly less."""
    net = SpectralNorm(layer)
    params, state = net.init(KEY, X)
    jax.tree.map(np.testing.assert_array_equal, params, layer.init(KEY, X)[0])
    y, bare = net(params, state, X), layer(params, X)
    sigma = np.vdot(bare, y) / np.vdot(y, y)
    np.testing.assert_allclose(y * sigma, bare, rtol=1e-4, atol=1e-4)
    rows = np.asarray(net.rows_of(params["kernel"]))
    assert rows.shape == (*state["u"].shape, rows.size // state["u"].size)
    largest = np.linalg.norm(rows, 2)
    assert 0.9 * largest < sigma < 1.0001 * largest


def test_each_training_step_turns_u_once(x64):
    net = SpectralNorm(Dense(3))
    params, _ = net.init(KEY, jnp.zeros((1, 5), jnp.float64))
    w, u = np.random.default_rng(0).standard_normal((3, 5)), np.array([1.0, 0, 0])
    _, new = net.apply(params | {"kernel": jnp.asarray(w.T)}, {"u": jnp.asarray(u)}, jnp.zeros((1, 5)), train=True)
    turned = w @ w.T @ u
    np.testing.assert_allclose(new["u"], turned / np.linalg.norm(turned), rtol=1e-12)


def test_the_gradient_takes_u_for_constant(x64):
    """dW = (dw - ⟨dw, w⟩ u vᵀ) / σ, v = Wᵀu / σ: Miyato et al. 2018, equation 12."""
    net = SpectralNorm(Dense(3, use_bias=False))
    rng = np.random.default_rng(0)
    kernel, x, dy = rng.standard_normal((5, 3)), rng.standard_normal((4, 5)), rng.standard_normal((4, 3))
    state = {"u": jnp.asarray([0.6, 0.0, -0.8])}
    _, pull, new = jax.vjp(lambda k: net.apply({"kernel": k}, state, x, train=True), jnp.asarray(kernel), has_aux=True)
    u = np.asarray(new["u"])
    sigma = np.linalg.norm(kernel @ u)
    w, dw, v = kernel / sigma, x.T @ dy, kernel @ u / sigma
    np.testing.assert_allclose(pull(jnp.asarray(dy))[0], (dw - (dw * w).sum() * np.outer(v, u)) / sigma, rtol=1e-10)


def test_a_kernel_of_zeros_loses_nothing():
    """u stays where it was, and nothing is NaN."""
    net = SpectralNorm(Dense(3, initializer="zeros"))
    params, state = net.init(KEY, jnp.zeros((1, 5)))
    assert np.linalg.norm(state["u"]) == pytest.approx(1, rel=1e-5)
    y, new = net.apply(params, state, jnp.ones((1, 5)), train=True)
    np.testing.assert_array_equal(new["u"], state["u"])
    np.testing.assert_array_equal(y, 0)


def test_the_summary_shows_the_layer_inside():
    net = chain(a=SpectralNorm(Conv(4, 3, stride=2, padding="VALID")), b=WeightNorm(Conv(4)))
    bare = chain(a=Conv(4, 3, stride=2, padding="VALID"), b=Conv(4))
    for row, expected in zip(summary(net, (6, 6, 2)).rows, summary(bare, (6, 6, 2)).rows, strict=True):
        seen = (row.shape, row.multiply_adds, row.field, row.unseen)
        assert seen == (expected.shape, expected.multiply_adds, expected.field, expected.unseen)
    a, b = summary(net, (6, 6, 2)).rows
    assert (a.kind, a.trainable, a.fixed) == ("SpectralNorm", 76, 4)
    assert (b.kind, b.trainable, b.fixed) == ("WeightNorm", 148 + 4, 0)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: WeightNorm(Conv), TypeError, r"WeightNorm: layer is <class .*such as WeightNorm\(Conv\(32\)\)"),
        (lambda: SpectralNorm(WeightNorm(Conv(4))), TypeError, r"SpectralNorm: layer is WeightNorm\(.*learns a kernel"),
        (
            lambda: SpectralNorm(chain(conv=Conv(4))).init(KEY, X),
            ValueError,
            r"SpectralNorm: Chain has no kernel of its own; wrap each layer that has one",
        ),
        (lambda: WeightNorm(Activation("relu")).init(KEY, X), ValueError, "WeightNorm: Activation has no kernel"),
        (lambda: SpectralNorm(Conv(4), steps=0), ValueError, "SpectralNorm: steps is 0; expected positive ints"),
        (
            lambda: WeightNorm(Conv(4), epsilon=-1),
            ValueError,
            "WeightNorm: epsilon is -1; expected a number of 0",
        ),
        (lambda: SpectralNorm(Conv(4))(*Conv(4).init(KEY, X), X), ValueError, "params or state lacks 'u'"),
    ],
)
def test_mistakes_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
