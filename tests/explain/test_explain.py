"""What a network looks at, against NumPy, differences and networks small enough to do by hand."""

import functools
import re
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import jaxcnn
from jaxcnn import explain, models, ops
from jaxcnn.explain.grad_cam import last_with_places
from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool,
    chain,
    intermediates,
    residual,
)
from tests import switches

KEY = jax.random.key(0)
RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.standard_normal((3, 9, 8, 2)), jnp.float32)
# It ends in global average pooling and a dense layer: Grad-CAM is the class activation map.
NET = chain(
    conv=Conv(4),
    bn=BatchNorm(),
    relu=Activation("relu"),
    pool=MaxPool(2),
    block=residual(chain(conv=Conv(4), relu6=Activation("relu6"))),
    act=Activation("relu"),
    mean=GlobalAvgPool(),
    head=Dense(5),
)
PARAMS, STATE = NET.init(KEY, X)
GIVEN = (NET, PARAMS, STATE, X)
CLASSES = np.array([4, 0, 2])
METHODS = {
    "saliency": explain.saliency,
    "guided_backprop": explain.guided_backprop,
    "deconvnet": explain.deconvnet,
    "grad_cam": explain.grad_cam,
    "grad_cam_plus_plus": explain.grad_cam_plus_plus,
    "integrated_gradients": functools.partial(explain.integrated_gradients, steps=4),
    "smooth_grad": functools.partial(explain.smooth_grad, key=KEY, samples=2),
    "occlusion": functools.partial(explain.occlusion, size=4, stride=3),
}
every_method = pytest.mark.parametrize("name", METHODS)


def close(found, expected, rtol=1e-5):
    expected = np.asarray(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=rtol * np.abs(expected).max())
    assert np.abs(expected).max() > 0


def score(x, k):
    return np.asarray(NET(PARAMS, STATE, x))[range(len(x)), k]


# Each method.


def test_saliency_is_the_slope_by_differences(x64):
    params, state, x = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), (PARAMS, STATE, X[:1, :4, :4]))
    slopes = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[place] = 1e-6
        up, down = (NET(params, state, x + s)[0, 1] for s in (step, -step))
        slopes[place] = (up - down) / 2e-6
    close(explain.saliency(NET, params, state, x, 1, absolute=False), slopes, 1e-8)
    close(explain.saliency(NET, params, state, x, 1), np.abs(slopes), 1e-8)


def by_hand(passes):
    """Two dense layers with a ReLU between them; of the signal that comes back to it passes what `passes` says."""
    net = chain(flat=Flatten(), hidden=Dense(6, use_bias=False), relu=Activation("relu"), head=Dense(2, use_bias=False))
    first, second = RNG.standard_normal((4, 6)), RNG.standard_normal((6, 2))
    x = RNG.standard_normal((2, 2, 2, 1))
    hidden = x.reshape(2, 4) @ first
    back = np.broadcast_to(second[:, 1], hidden.shape)
    assert len({(h > 0, b > 0) for h, b in zip(hidden.flat, back.flat, strict=True)}) == 4, "all four cases"
    params = {"hidden": {"kernel": first}, "head": {"kernel": second}}
    return (net, params, {}, x, 1), (np.where(passes(hidden, back), back, 0) @ first.T).reshape(x.shape)


@pytest.mark.parametrize(
    ("method", "passes"),
    [
        (functools.partial(explain.saliency, absolute=False), lambda x, dy: x > 0),
        (explain.deconvnet, lambda x, dy: dy > 0),
        (explain.guided_backprop, lambda x, dy: (x > 0) & (dy > 0)),
    ],
    ids=["gradient", "deconvnet", "guided"],
)
def test_the_three_ways_back_through_a_relu(method, passes, x64):
    given, expected = by_hand(passes)
    close(method(*given), expected, 1e-12)


def test_a_relu6_that_is_full_lets_only_the_deconvnet_through():
    net = chain(act=Activation("relu6"), flat=Flatten(), head=Dense(1, use_bias=False))
    x = jnp.array([-1.0, 1.0, 7.0, 1.0]).reshape(1, 2, 2, 1)
    params = {"head": {"kernel": jnp.array([[1.0], [2.0], [3.0], [-4.0]])}}
    np.testing.assert_array_equal(explain.guided_backprop(net, params, {}, x).ravel(), [0, 2, 0, 0])
    np.testing.assert_array_equal(explain.deconvnet(net, params, {}, x).ravel(), [1, 2, 3, 0])


def test_grad_cam_before_global_average_pooling_is_the_class_activation_map():
    """Zhou et al. 2016: the channels, weighed by the dense layer's weights for the class."""
    a = np.asarray(intermediates(NET, PARAMS, STATE, X, ["act"])["act"])
    weights = np.asarray(PARAMS["head"]["kernel"])[:, CLASSES]
    cam = np.einsum("nijc,cn->nij", a, weights)
    close(explain.grad_cam(*GIVEN, CLASSES), np.maximum(cam, 0) / a[0, :, :, 0].size)


def plainly(x, added):
    """NET's scores of CLASSES without anything of ours, what is `added` put on top of layers' outputs."""

    def out(path, y):
        seen[path] = y + added.get(path, 0)
        return seen[path]

    def conv(x, params):
        y = jax.lax.conv_general_dilated(
            x, params["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        return y + params["bias"]

    seen: dict[str, jax.Array] = {}
    x = out("conv", conv(x, PARAMS["conv"]))
    x = jax.nn.relu(x / jnp.sqrt(1 + 1e-5))
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
    body = jax.nn.relu6(out("block/body/conv", conv(x, PARAMS["block"]["body"]["conv"])))
    x = jax.nn.relu(out("block", x + body)).mean((1, 2))
    return (x @ PARAMS["head"]["kernel"])[jnp.arange(len(x)), CLASSES].sum(), seen


@pytest.mark.parametrize("layer", ["conv", "block", "block/body/conv"])
def test_grad_cam_at_any_layer_by_loops(layer):
    a = plainly(X, {})[1][layer]
    da, _ = jax.grad(lambda d: plainly(X, {layer: d}), has_aux=True)(jnp.zeros_like(a))
    a, da = np.asarray(a, np.float64), np.asarray(da, np.float64)
    expected, plus_plus = np.zeros((2, *a.shape[:3]))
    for n, c in np.ndindex(len(a), a.shape[-1]):
        expected[n] += da[n, :, :, c].mean() * a[n, :, :, c]
        g = da[n, :, :, c][da[n, :, :, c] != 0]
        alpha = g**2 / (2 * g**2 + g**3 * a[n, :, :, c].sum())
        plus_plus[n] += (alpha * np.maximum(g, 0)).sum() * a[n, :, :, c]
    close(explain.grad_cam(*GIVEN, CLASSES, layer=layer), np.maximum(expected, 0))
    close(explain.grad_cam_plus_plus(*GIVEN, CLASSES, layer=layer), np.maximum(plus_plus, 0), 1e-4)


@dataclass(frozen=True)
class Powers(Layer):
    """Logits w · x² and w · x⁴, summed over the picture."""

    def apply(self, params, state, x, *, train=False, key=None):
        return jnp.stack([(params["w"] * x**power).sum((1, 2, 3)) for power in (2, 4)], 1), {}


def test_integrated_gradients_of_powers():
    """Of w x^p from x' along the straight line x' + t d: the share is d ∫ p w (x' + t d)^(p-1) dt = w (x^p - x'^p)."""
    w = RNG.standard_normal(X.shape[1:])
    for k, power in enumerate((2, 4)):
        found = explain.integrated_gradients(Powers(), {"w": w}, {}, X, k, baseline=jnp.array([0.5, -0.25]), steps=4)
        expected = w * (np.asarray(X, np.float64) ** power - np.array([0.5, -0.25]) ** power)
        close(found.attributions, expected)
        close(found.rise, expected.sum((1, 2, 3)))
        found.check(1e-4)


def test_integrated_gradients_are_complete_or_say_so():
    explain.integrated_gradients(*GIVEN, CLASSES, steps=100).check()
    coarse = explain.integrated_gradients(Powers(), {"w": jnp.ones(())}, {}, X, 1, steps=1)
    assert (abs(coarse.convergence_delta) > 0.05 * coarse.rise).all()
    with pytest.raises(ValueError, match=r"of picture 0 the attributions add up to .* Take more steps"):
        coarse.check()
    with pytest.raises(ValueError, match="of picture 0"):
        coarse._replace(rise=jnp.full(3, jnp.nan)).check()
    with pytest.raises(ValueError, match="tolerance is -1"):
        coarse.check(-1)


def test_smooth_grad_is_the_mean_over_noise_of_the_pictures_own_size():
    key = jax.random.key(7)
    total = np.zeros(X.shape)
    for i in range(3):
        sigma = 0.2 * np.array([x.max() - x.min() for x in X])[:, None, None, None]
        noisy = X + sigma * np.asarray(jax.random.normal(jax.random.fold_in(key, i), X.shape))
        total += explain.saliency(NET, PARAMS, STATE, noisy, CLASSES, absolute=False)
    close(explain.smooth_grad(*GIVEN, CLASSES, key=key, samples=3, noise=0.2), total / 3)


def test_without_noise_it_is_the_gradient():
    found = explain.smooth_grad(*GIVEN, CLASSES, key=KEY, samples=2, noise=0.0)
    close(found, explain.saliency(*GIVEN, CLASSES, absolute=False))


@pytest.mark.parametrize(("size", "stride", "n"), [((4, 3), (3, 2), 3), (9, 4, 1), ((2, 3), 1, 2)])
def test_occlusion_by_loops(size, stride, n):
    size, stride = min(size, 8) if size == 9 else size, stride
    (high, wide), (down, right) = (v if isinstance(v, tuple) else (v, v) for v in (size, stride))
    total, count = np.zeros((2, n, *X.shape[1:3]))
    top = 0
    while top - down + high < X.shape[1]:
        left = 0
        while left - right + wide < X.shape[2]:
            window = np.s_[:, top : top + high, left : left + wide]
            covered = np.array(X[:n])
            covered[window] = [0.5, -1]
            fall = score(X[:n], CLASSES[:n]) - score(covered, CLASSES[:n])
            total[window] += fall[:, None, None]
            count[window] += 1
            left += right
        top += down
    found = explain.occlusion(
        NET, PARAMS, STATE, X[:n], CLASSES[:n], size=size, stride=stride, baseline=jnp.array([0.5, -1])
    )
    assert (count > 0).all()
    close(found, total / count, 1e-4)


# What is asked about.


@every_method
def test_the_top_class_is_what_is_asked_about(name):
    top = np.asarray(NET(PARAMS, STATE, X)).argmax(1)
    same(METHODS[name](*GIVEN), METHODS[name](*GIVEN, top))
    same(METHODS[name](*GIVEN, 2), METHODS[name](*GIVEN, np.int64(2)))


def same(found, expected):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6 * abs(b).max()), found, expected)


@every_method
def test_each_picture_is_explained_by_itself(name):
    if name == "smooth_grad":
        pytest.skip("its noise is the batch's")
    whole = METHODS[name](*GIVEN, CLASSES)
    alone = METHODS[name](NET, PARAMS, STATE, X[1:2], CLASSES[1])
    jax.tree.map(lambda a, b: close(b[0], a[1], 1e-4), whole, alone)


@every_method
def test_under_jit_and_vmap(name):
    expected = METHODS[name](*GIVEN, CLASSES)
    same(jax.jit(METHODS[name], static_argnums=0)(*GIVEN, CLASSES), expected)
    if name == "smooth_grad":
        return
    each = jax.vmap(lambda x, k: METHODS[name](NET, PARAMS, STATE, x[None], k))(X, CLASSES)
    jax.tree.map(lambda a, b: close(a.reshape(b.shape), b, 1e-4), each, expected)


@every_method
def test_a_class_that_is_not_there_is_nan_under_jit(name):
    """Where it is not known to be missing: no map of zeros."""
    found = jax.jit(lambda k: METHODS[name](*GIVEN, k))(np.array([0, 5, -1]))
    missing = [np.isnan(picture).all() for picture in jax.tree.leaves(found)[0]]
    assert missing == [False, True, True]


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@every_method
def test_the_dtype_is_kept_and_nothing_is_promoted(name, dtype, x64):
    given = jax.tree.map(lambda a: a.astype(dtype), (PARAMS, STATE, X))
    with switches.nothing_is_promoted():
        found = jax.eval_shape(lambda *given: METHODS[name](NET, *given, 1), *given)
    assert {a.dtype for a in jax.tree.leaves(found)} == {jnp.dtype(dtype)}


@every_method
def test_the_batch_may_be_left_open(name):
    (n,) = export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((n, *X.shape[1:]), X.dtype)
    exported = export.export(jax.jit(lambda x: METHODS[name](NET, PARAMS, STATE, x)), platforms=["cpu"])(x)
    assert {a.shape[0] for a in exported.out_avals} == {n}


def test_a_relu_in_a_layer_of_ones_own_is_exchanged_too():
    @dataclass(frozen=True)
    class Own(Layer):
        def apply(self, params, state, x, *, train=False, key=None):
            return jax.jit(ops.relu)(x), {}

    given, expected = by_hand(lambda x, dy: (x > 0) & (dy > 0))
    net = chain(**dict(given[0].parts) | {"relu": Own()})
    close(explain.guided_backprop(net, *given[1:]), expected)
    with jaxcnn.backward("autodiff"):
        close(explain.guided_backprop(*given), expected)


# Bad input.


@every_method
def test_what_is_wrong_is_named(name):
    method, short = METHODS[name], name
    for x, said in (
        (X[0], r"x has shape \(9, 8, 2\); expected pictures \(n, h, w, c\)\. For a single picture write x\[None\]"),
        (X[0, 0], r"x has shape \(8, 2\); expected pictures"),
        (np.zeros(X.shape, np.uint8), "x has dtype uint8; expected floats"),
        ("cat.jpg", "x is 'cat.jpg'; expected an array"),
    ):
        with pytest.raises(ValueError, match=f"^{short}: {said}"):
            method(NET, PARAMS, STATE, x)
    for classes in (5, -1, [0, 1, 5], [0, 1], 1.0, "cat", True):
        with pytest.raises(ValueError, match=f"^{short}: classes is .*; expected classes, ints from 0 to 4, one"):
            method(*GIVEN, classes)
    with pytest.raises(ValueError, match=rf"^{short}: the network's output has shape \(3, 9, 8, 4\); expected logits"):
        method(chain(conv=Conv(4)), PARAMS, STATE, X)
    with pytest.raises(ValueError, match=f"^{short}: network is 'resnet18'; expected a layer"):
        method("resnet18", PARAMS, STATE, X)
    with pytest.raises(ValueError, match="both must come from this network's init"):
        method(NET, {}, STATE, X)
    with pytest.raises(TypeError, match=r"unknown argument 'target'\. It takes network, params, state, x, classes"):
        method(*GIVEN, target=1)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("grad_cam", {"layer": "blok"}, "layer is 'blok', which is no layer of the network. Did you mean 'block'?"),
        ("grad_cam", {"layer": "zzz"}, "no layer of the network. Its outermost are conv, bn, relu, pool, block, act"),
        ("grad_cam", {"layer": ["conv"]}, "layer is ('conv',), which is no layer"),
        ("grad_cam", {"layer": {}}, "layer is {}; expected a number, or a name"),
        (
            "grad_cam_plus_plus",
            {"layer": "mean"},
            "layer is 'mean', whose output has shape (3, 4); expected one with places, (n, h, w, c), such as 'act'.",
        ),
        ("integrated_gradients", {"steps": 0}, "steps is 0; expected positive ints"),
        (
            "integrated_gradients",
            {"baseline": jnp.zeros(3)},
            "baseline has shape (3,); expected a number, one for each",
        ),
        ("smooth_grad", {"samples": 1.5}, "samples is 1.5; expected positive ints"),
        ("occlusion", {"size": 9}, "size is (9, 9), larger than the picture, (9, 8)."),
        (
            "occlusion",
            {"size": 3, "stride": 4},
            "stride is (4, 4), larger than the window, (3, 3), and would leave gaps.",
        ),
        ("occlusion", {"size": 0}, "size is 0; expected positive ints"),
        ("occlusion", {"baseline": jnp.zeros((2, 1, 1, 2))}, "baseline has shape (2, 1, 1, 2)"),
    ],
)
def test_an_option_that_is_wrong_is_named(name, options, said):
    with pytest.raises(ValueError, match=f"^{name}: .*{re.escape(said)}"):
        METHODS[name](*GIVEN, **options)


def test_without_a_relu_there_is_nothing_to_guide():
    net = chain(conv=Conv(2), act=Activation("silu"), mean=GlobalAvgPool(), head=Dense(2))
    params, state = net.init(KEY, X)
    for method in (explain.guided_backprop, explain.deconvnet):
        with pytest.raises(ValueError, match="the network has no relu or relu6 whose backward could be another; take"):
            method(net, params, state, X)


def test_where_all_is_one_place_grad_cam_asks_for_a_layer():
    net = chain(conv=Conv(4), mean=GlobalAvgPool())
    with pytest.raises(ValueError, match=r"layer is None, and for x of shape \(3, 1, 1, 2\) no layer before"):
        explain.grad_cam(net, PARAMS, {}, X[:, :1, :1])


@pytest.mark.parametrize(
    ("model", "layer"),
    [
        ("lenet5", "act2"),
        ("resnet18", "relu4_2"),
        ("vgg11", "relu5_2"),
        ("squeezenet1_1", "head/relu"),
        ("densenet121", "relu_last"),
        ("mobilenet_v3_small", "act_last"),
        ("efficientnet_b0", "act_last"),
        ("convnext_tiny", "block4_3"),
    ],
)
def test_the_layer_before_the_pooling(model, layer):
    net, x = models.create(model), jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    found = []

    def traced(key, x):
        found.append(last_with_places("grad_cam", net, *net.init(key, x), x))

    jax.eval_shape(traced, KEY, x)
    assert found == [layer]


# Nearest pictures.


def test_nearest_are_those_of_the_largest_cosine():
    known = explain.embed(NET, PARAMS, STATE, jnp.concatenate([X, -X, 2 * X + 1]))
    close(known[:3], intermediates(NET, PARAMS, STATE, X, ["mean"])["mean"])
    found = explain.nearest(NET, PARAMS, STATE, X, known, k=4)
    a, b = np.asarray(known[:3], np.float64), np.asarray(known, np.float64)
    cosines = (a @ b.T) / np.outer(np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1))
    order = np.argsort(-cosines, axis=1)[:, :4]
    np.testing.assert_array_equal(found.indices, order)
    np.testing.assert_allclose(found.similarities, np.take_along_axis(cosines, order, 1), atol=1e-6)
    np.testing.assert_array_equal(found.indices[:, 0], range(3))


def test_features_with_places_are_averaged():
    net = chain(conv=Conv(3), head=GlobalAvgPool())
    params, state = net.init(KEY, X)
    close(explain.embed(net, params, state, X), net(params, state, X))


def test_nothing_known_and_nothing_seen():
    found = explain.nearest(NET, PARAMS, STATE, X, jnp.zeros((2, 4)), k=2)
    np.testing.assert_array_equal(found.similarities, 0)
    for known, k, said in (
        (jnp.zeros((2, 5)), 1, r"known has shape \(2, 5\); expected \(m, 4\), as embed"),
        (jnp.zeros(4), 1, r"known has shape \(4,\)"),
        (jnp.zeros((2, 4)), 3, "k is 3, and known has 2 pictures"),
        (jnp.zeros((2, 4)), 0, "k is 0; expected positive ints"),
    ):
        with pytest.raises(ValueError, match=f"^nearest: {said}"):
            explain.nearest(NET, PARAMS, STATE, X, known, k=k)
    with pytest.raises(ValueError, match="has no layer called 'head'"):
        explain.embed(chain(conv=Conv(4)), PARAMS, STATE, X)


# Ascent.

MEAN_COLOUR = chain(mean=GlobalAvgPool(), head=Dense(2))


def test_ascent_ends_in_the_colour_that_the_class_is_made_of():
    """Logits are linear in the mean colour: each channel ends at 1 or at 0, as its weight's sign says."""
    kernel = jnp.array([[1.0, -1.0], [-1.0, 2.0], [0.5, 1.0]])
    params = {"head": {"kernel": kernel, "bias": jnp.zeros(2)}}
    options = {"shape": (8, 6, 3), "key": KEY, "mean": jnp.array([0.5, 0.4, 0.3]), "std": 0.25}
    found = explain.feature_visualisation(MEAN_COLOUR, params, {}, [0, 1], steps=300, learning_rate=0.2, **options)
    assert found.shape == (2, 8, 6, 3) and found.dtype == jnp.float32
    np.testing.assert_allclose(found.mean((1, 2)), [[1, 0, 1], [0, 1, 1]], atol=0.02)
    start = explain.feature_visualisation(MEAN_COLOUR, params, {}, 0, steps=1, learning_rate=1e-6, **options)
    assert start.shape == (1, 8, 6, 3) and 0.0 < float(abs(start - 0.5).max()) < 0.2


@pytest.mark.parametrize(("layer", "place"), [("act", None), ("act", (1, 2)), ("block/body/conv", None)])
def test_ascent_makes_the_channel_or_the_unit_larger(layer, place):
    def value(pictures):
        y = intermediates(NET, PARAMS, STATE, (pictures - 0.5) / 0.25, [layer])[layer][0, ..., 2]
        return y.mean() if place is None else y[place]

    options = {"layer": layer, "place": place, "shape": (9, 8, 2), "key": KEY, "mean": 0.5, "std": 0.25}
    first, last = (
        value(explain.feature_visualisation(NET, PARAMS, STATE, 2, steps=steps, **options)) for steps in (1, 60)
    )
    assert last > first + 0.3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channel": 4}, "channel is 4; expected ints from 0 to 3, the channels of layer 'act'"),
        ({"channel": [0, -1]}, "channel is [0, -1]; expected ints from 0 to 3"),
        ({"channel": 1.0}, "channel is 1.0; expected ints"),
        ({"channel": "cat"}, "channel is 'cat'; expected ints"),
        (
            {"channel": 5, "layer": None},
            "channel is 5; expected ints from 0 to 4, the channels of the network's output",
        ),
        ({"layer": "akt"}, "layer is 'akt', which is no layer of the network. Did you mean 'act'?"),
        ({"shape": (8, 8)}, "shape is (8, 8); expected (h, w, c) of the pictures"),
        ({"shape": (8, 0, 2)}, "shape is 0; expected positive ints"),
        ({"place": (4, 0)}, "place is (4, 0); expected (row, column) within (4, 4), the output of layer 'act'"),
        ({"place": 3}, "place is 3; expected (row, column)"),
        ({"place": (0, 0), "layer": None}, "place is (0, 0), and there are none in an output of shape (1, 5)"),
        ({"steps": 0}, "steps is 0; expected positive ints"),
        ({"learning_rate": -1}, "learning_rate is -1; expected a positive number"),
        ({"jitter": 2}, "jitter is 2; expected a share"),
        ({"scale": 1.0}, "scale is 1.0; expected a share"),
    ],
)
def test_what_is_wrong_in_an_ascent_is_named(changes, said):
    options = {"channel": 0, "layer": "act", "shape": (8, 8, 2), "key": KEY} | changes
    with pytest.raises(ValueError, match=f"^feature_visualisation: {re.escape(said)}"):
        explain.feature_visualisation(NET, PARAMS, STATE, **options)
