"""Every model: sizes against the literature, and whole-network backpropagation against jax.grad."""

from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax import ShapeDtypeStruct

import jaxcnn
from jaxcnn import models, ops
from jaxcnn.layers import Dropout, summary
from jaxcnn.models import MODELS
from jaxcnn.models.resnet import IMAGENET

# The smallest input that exercises every layer, and widths that keep float64 on a CPU affordable: narrower layers than
# the paper's, and nothing else.
SMALL = {
    "two_filters": ((5, 5, 3), {}),
    "three_convs": ((39, 39, 3), {}),
    "conv_blocks": ((16, 16, 3), {}),
    "lenet5": ((8, 8, 1), {}),
    "cifar_small": ((8, 8, 3), {"widths": (4, 6, 4)}),
} | {
    name: (
        (16, 16, 3) if name in ("resnet20", "resnet32", "resnet44", "resnet56") else (32, 32, 3),
        {"width": 4, "classes": 10} | ({"hidden": 16} if "vgg" in name else {}),
    )
    for name in MODELS
    if name[:3] in ("vgg", "res")
}

# The depths of a family are one piece of code. A family has the fewest blocks that have every kind of shortcut: none, a
# convolution, and one of stride 2.
ONE_OF_EACH = [n for n in SMALL if n[:3] not in ("vgg", "res")] + [
    "vgg11",
    "vgg11_bn",
    "resnet18",
    "resnet50",
    "resnet20",
]


@pytest.mark.parametrize(
    "name, shape, trainable",
    [
        # torchvision's counts, from its model documentation.
        ("vgg11", (224, 224, 3), 132_863_336),
        ("vgg13", (224, 224, 3), 133_047_848),
        ("vgg16", (224, 224, 3), 138_357_544),
        ("vgg19", (224, 224, 3), 143_667_240),
        ("resnet18", (224, 224, 3), 11_689_512),
        ("resnet34", (224, 224, 3), 21_797_672),
        ("resnet50", (224, 224, 3), 25_557_032),
        # By hand: He et al. give 0.27, 0.46, 0.66 and 0.85 M; the 1×1 shortcuts add 16·32 + 2·32 + 32·64 + 2·64.
        ("resnet20", (32, 32, 3), 269_722 + 2_752),
        ("resnet32", (32, 32, 3), 464_154 + 2_752),
        ("resnet44", (32, 32, 3), 658_586 + 2_752),
        ("resnet56", (32, 32, 3), 853_018 + 2_752),
        ("three_convs", (39, 39, 3), 280 + 5_020 + 20_040 + 19_610),
        ("two_filters", (5, 5, 3), 56),
        # By hand: 9 cin cout for each convolution, 2 cout for its batch norm; the first has a bias, the head 257·10.
        ("cifar_small", (32, 32, 3), 896 + 9 * (32 + 64) * 64 + 9 * (64 + 256 + 256 + 256) * 256 + 4 * 576 + 2_570),
    ],
)
def test_parameter_counts(name, shape, trainable):
    assert summary(models.create(name), shape).trainable == trainable


def test_batch_norm_replaces_the_biases_of_vgg():
    plain, normed = (summary(models.create(name), (224, 224, 3)) for name in ("vgg16", "vgg16_bn"))
    channels = 2 * 64 + 2 * 128 + 3 * 256 + 6 * 512
    assert normed.trainable - plain.trainable == 2 * channels - channels
    assert normed.fixed == 2 * channels


def test_published_multiply_adds():
    """torchvision gives 7.61, 15.47 and 1.81, 4.09 GFLOPs (multiply-adds) for these at 224×224."""
    for name, giga in [("vgg11", 7.61), ("vgg16", 15.47), ("resnet18", 1.81), ("resnet50", 4.09)]:
        assert summary(models.create(name), (224, 224, 3)).multiply_adds / 1e9 == pytest.approx(giga, abs=0.01)


def test_lenet_of_1998():
    net = models.lenet5(padding="VALID", activation="tanh", pool="avg")
    table = summary(net, (32, 32, 1))
    assert table.trainable == 61_706
    assert [row.shape for row in table.rows if row.kind in ("Conv", "AvgPool")] == [
        (28, 28, 6),
        (14, 14, 6),
        (10, 10, 16),
        (5, 5, 16),
    ]


@pytest.mark.parametrize(("name", "rates"), [("conv_blocks", [0.25, 0.25, 0.25, 0.5]), ("vgg11", [0.5, 0.5])])
def test_dropout_rates(name, rates):
    assert [layer.rate for _, layer in models.create(name).parts if isinstance(layer, Dropout)] == rates


@pytest.mark.parametrize("head, total", [("softmax", 1.0), ("sigmoid", None)])
def test_heads(head, total):
    for make, shape in [(models.three_convs, (39, 39, 3)), (models.conv_blocks, (16, 16, 3))]:
        net = make(1 if head == "sigmoid" else 4, head=head)
        x = jax.random.normal(jax.random.key(0), (2, *shape))
        y, _ = jax.jit(net.apply)(*net.init(jax.random.key(1), ShapeDtypeStruct(x.shape, x.dtype)), x)
        assert ((y > 0) & (y < 1)).all()
        if total:
            np.testing.assert_allclose(y.sum(-1), total, rtol=1e-6)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: models.create("resnet19", 10), r"create: model is 'resnet19'. Did you mean 'resnet\d\d'\?"),
        (lambda: models.create("lenet", 10), r"Did you mean 'lenet5'\?"),
        (lambda: models.vgg(12), r"vgg: depth is 12; expected one of 11, 13, 16, 19"),
        (lambda: models.resnet(20), r"resnet: depth is 20; expected one of 18, 34, 50"),
        (lambda: models.resnet_cifar(21), r"resnet_cifar: depth is 21; expected 6 n \+ 2"),
        (lambda: models.lenet5(pool="mean"), r'lenet5: pool is \'mean\'; expected "max" or "avg"'),
        (lambda: models.three_convs(head="relu"), r'head is \'relu\'; expected "logits", "softmax" or "sigmoid"'),
    ],
)
def test_mistakes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_model_is_tested():
    shipped = {name for name, make in MODELS.items() if getattr(make, "func", make).__module__.startswith("jaxcnn.")}
    assert set(SMALL) == shipped


class Derivatives(NamedTuple):
    """Of the loss of a network for one batch."""

    loss: Any
    gradients: Any
    state: Any
    product: Any  # of the Hessian and the parameters: forward over reverse


def smallest(name):
    """One of each family, of the sizes in `SMALL`."""
    _, options = SMALL[name]
    if name == "resnet20":
        return models.resnet_cifar(8, **options)
    with pytest.MonkeyPatch.context() as patch:
        for depth, (_, bottleneck) in IMAGENET.items():
            patch.setitem(IMAGENET, depth, ((1, 2, 1, 1), bottleneck))
        return MODELS[name](**options)


def derivatives(name):
    """As `backprop` computes the first ones and the rules the second, and as JAX does from the plain forwards."""
    net, (shape, _) = smallest(name), SMALL[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, *shape))
    key = jax.random.key(1)
    if name == "two_filters":  # ends in an image, not in logits
        labels, loss = rng.standard_normal((3, 3, 3, 2)), ops.mse
    else:
        labels, loss = np.arange(3), ops.softmax_cross_entropy

    @jax.jit
    def both(params, state, along):
        def gradients(params):
            def mean_loss(params):
                y, new = net.apply(params, state, x, train=True, key=key)
                return loss(y, labels).mean(), new

            (value, new), slopes = jax.value_and_grad(mean_loss, has_aux=True)(params)
            return slopes, (value, new)

        def product():
            return jax.jvp(gradients, (params,), (along,), has_aux=True)

        got = jaxcnn.backprop(net, params, state, (x, labels), loss, key=key)
        ours = Derivatives(got.loss, got.gradients, got.state, product()[1])
        with jaxcnn.backward("autodiff"):
            slopes, moved, (value, new) = product()
        return ours, Derivatives(value, slopes, new, moved), got.deltas

    with jax.enable_x64(True):
        params, state = jax.jit(net.init, static_argnums=1)(jax.random.key(0), ShapeDtypeStruct(x.shape, x.dtype))
        along = jax.tree.map(lambda a: rng.standard_normal(a.shape), params)
        return jax.tree.map(np.asarray, both(params, state, along))


def assert_close(got, expected, rtol):
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, rtol=0, atol=rtol * np.abs(e).max())


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_derivatives_equal_those_of_autodiff(name):
    """In float64, within 1e-10 of the largest of its array: loss, running statistics and every gradient by `backprop`.

    Within 1e-9: the product of the Hessian and a direction.
    """
    ours, derived, deltas = derivatives(name)
    assert_close(ours[:3], derived[:3], 1e-10)
    assert_close(ours.product, derived.product, 1e-9)
    rows = summary(smallest(name), SMALL[name][0]).rows
    assert [(path, d.shape[1:]) for path, d in deltas.items()] == [(row.path, row.shape) for row in rows]
