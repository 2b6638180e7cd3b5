"""Every model: sizes against the literature, and whole-network backpropagation against jax.grad."""

import importlib
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from jax import ShapeDtypeStruct

import jaxcnn
from jaxcnn import models, ops
from jaxcnn.layers import Dropout, summary
from jaxcnn.models import MODELS, mobilenet
from jaxcnn.models.efficientnet import SCALES

# The smallest input that exercises every layer, and widths that keep float64 on a CPU affordable: narrower layers than
# the paper's, and nothing else.
SMALL = {
    "two_filters": ((5, 5, 3), {}),
    "three_convs": ((39, 39, 3), {}),
    "conv_blocks": ((16, 16, 3), {}),
    "lenet5": ((8, 8, 1), {}),
    "cifar_small": ((8, 8, 3), {"widths": (4, 6, 4)}),
    **{f"vgg{depth}": ((32, 32, 3), {"width": 4, "hidden": 16}) for depth in (11, 13, 16, 19)},
    **{f"vgg{depth}_bn": ((32, 32, 3), {"width": 4, "hidden": 16}) for depth in (11, 13, 16, 19)},
    **{f"resnet{depth}": ((16, 16, 3), {"width": 4}) for depth in (20, 32, 44, 56)},
    **{f"resnet{depth}": ((32, 32, 3), {"width": 4}) for depth in (18, 34, 50, 101, 152)},
    **{f"keras_resnet{depth}": ((32, 32, 3), {"width": 4}) for depth in (50, 101, 152)},
    "wide_resnet50_2": ((32, 32, 3), {"width": 4}),
    "resnext50_32x4d": ((32, 32, 3), {"width": 4, "groups": 2}),
    **{f"densenet{depth}": ((32, 32, 3), {"growth": 4}) for depth in (121, 169, 201)},
    **{f"keras_densenet{depth}": ((32, 32, 3), {"growth": 4}) for depth in (121, 169, 201)},
    "squeezenet1_1": ((32, 32, 3), {"width": 4}),
    "mobilenet_v2": ((32, 32, 3), {"multiplier": 0.1}),
    "tf_mobilenet_v2": ((32, 32, 3), {"multiplier": 0.1}),
    **{f"mobilenet_v3_{size}": ((32, 32, 3), {"multiplier": 0.1}) for size in ("small", "large")},
    **{f"mobilenetv3_{size}_100": ((32, 32, 3), {"multiplier": 0.1}) for size in ("small", "large")},
    **{f"tf_mobilenetv3_{size}_100": ((32, 32, 3), {"multiplier": 0.1}) for size in ("small", "large")},
    **{f"efficientnet_{name}": ((32, 32, 3), {"multiplier": 0.1}) for name in SCALES},
    **{f"tf_efficientnet_b{n}": ((32, 32, 3), {"multiplier": 0.1}) for n in range(5)},
    **{f"convnext_{name}": ((32, 32, 3), {"width": 4}) for name in ("tiny", "small")},
    "unet": ((8, 8, 3), {"width": 4, "depth": 2}),
    "fcn_resnet50": ((32, 32, 3), {"width": 4}),
}

# The depths of a family are one piece of code, of which one is enough, with few blocks: every kind of each.
FEW = {
    "resnet": ("IMAGENET", lambda table: {d: ((1, 2), bottleneck) for d, (_, bottleneck) in table.items()}),
    "densenet": ("BLOCKS", lambda table: {d: ((1, 2), growth) for d, (_, growth) in table.items()}),
    "squeezenet": ("FIRES", lambda table: (*table[:1], None, *table[3:4])),
    "mobilenet": ("V2", lambda table: table[:2]),
    "efficientnet": ("STAGES", lambda table: table[:2]),
    "convnext": ("VARIANTS", lambda table: {name: ((1, 1), *rest) for name, (_, *rest) in table.items()}),
}
ONE_OF_EACH = [
    *("two_filters", "three_convs", "conv_blocks", "lenet5", "cifar_small", "vgg11", "vgg11_bn"),
    *("resnet20", "resnet18", "resnext50_32x4d", "densenet121", "squeezenet1_1", "mobilenet_v2", "mobilenet_v3_small"),
    *("efficientnet_b0", "convnext_tiny", "unet", "fcn_resnet50"),
]
# These have no combinator that the others don't; so for them first derivatives are enough.
FIRST_ORDER = (
    "resnet18",
    "densenet121",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "efficientnet_b0",
    "convnext_tiny",
    "unet",
    "fcn_resnet50",
)
ENDS_IN_PIXELS = ("two_filters", "unet", "fcn_resnet50")


@pytest.mark.parametrize(
    "name, shape, trainable",
    [
        # torchvision's counts, from its model documentation.
        ("vgg11", (224, 224, 3), 132_863_336),
        ("vgg13", (224, 224, 3), 133_047_848),
        ("vgg16", (224, 224, 3), 138_357_544),
        ("vgg19", (224, 224, 3), 143_667_240),
        ("vgg11_bn", (224, 224, 3), 132_868_840),
        ("vgg13_bn", (224, 224, 3), 133_053_736),
        ("vgg16_bn", (224, 224, 3), 138_365_992),
        ("vgg19_bn", (224, 224, 3), 143_678_248),
        ("resnet18", (224, 224, 3), 11_689_512),
        ("resnet34", (224, 224, 3), 21_797_672),
        ("resnet50", (224, 224, 3), 25_557_032),
        ("resnet101", (224, 224, 3), 44_549_160),
        ("resnet152", (224, 224, 3), 60_192_808),
        ("wide_resnet50_2", (224, 224, 3), 68_883_240),
        ("resnext50_32x4d", (224, 224, 3), 25_028_904),
        ("densenet121", (224, 224, 3), 7_978_856),
        ("densenet169", (224, 224, 3), 14_149_480),
        ("densenet201", (224, 224, 3), 20_013_928),
        ("squeezenet1_1", (224, 224, 3), 1_235_496),
        ("mobilenet_v2", (224, 224, 3), 3_504_872),
        ("mobilenet_v3_large", (224, 224, 3), 5_483_032),
        ("mobilenet_v3_small", (224, 224, 3), 2_542_856),
        ("efficientnet_b0", (224, 224, 3), 5_288_548),
        ("efficientnet_b1", (240, 240, 3), 7_794_184),
        ("efficientnet_b2", (260, 260, 3), 9_109_994),
        ("efficientnet_b3", (300, 300, 3), 12_233_232),
        ("efficientnet_b4", (380, 380, 3), 19_341_616),
        ("convnext_tiny", (224, 224, 3), 28_589_128),
        ("convnext_small", (224, 224, 3), 50_223_688),
        ("fcn_resnet50", (224, 224, 3), 35_322_218 - (9 * 1024 * 256 + 2 * 256 + 256 * 21 + 21)),  # an auxiliary head
        # Keras's: without the running statistics that its summary counts.
        ("keras_resnet50", (224, 224, 3), 25_636_712 - 53_120),
        ("keras_resnet101", (224, 224, 3), 44_707_176 - 105_344),
        ("keras_resnet152", (224, 224, 3), 60_419_944 - 151_424),
        # timm's.
        ("efficientnet_lite0", (224, 224, 3), 4_652_008),
        ("efficientnet_lite1", (240, 240, 3), 5_416_680),
        ("efficientnet_lite2", (260, 260, 3), 6_092_072),
        ("efficientnet_lite3", (280, 280, 3), 8_197_096),
        ("efficientnet_lite4", (300, 300, 3), 13_006_568),
        # By hand: a level of c channels from b has 9 b c + 9 c c + 4 c, the way up from 2 c and 8 c c + c to grow.
        (
            "unet",
            (256, 256, 3),
            sum(9 * b * c + 9 * c * c + 4 * c for b, c in ((3, 64), (64, 128), (128, 256), (256, 512), (512, 1024)))
            + sum(27 * c * c + 4 * c + 8 * c * c + c for c in (64, 128, 256, 512))
            + 130,
        ),
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
    assert count(models.create(name), shape) == trainable
    assert shape != models.ABOUT[name].image_shape or models.ABOUT[name].parameters == trainable


def count(network, shape):
    """The parameters, without the summary's other figures."""
    params, _ = jax.eval_shape(lambda: network.init(jax.random.key(0), ShapeDtypeStruct((1, *shape), np.float32)))
    return sum(leaf.size for leaf in jax.tree.leaves(params))


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
        (lambda: models.resnet(20), r"resnet: depth is 20; expected one of 18, 34, 50, 101, 152"),
        (lambda: models.resnet(18, groups=32), r"resnet: depth is 18, which has no bottlenecks for groups, inner, di"),
        (lambda: models.resnet(50, stride_in="conv3"), r'resnet: stride_in is \'conv3\'; expected "conv1" or "conv2"'),
        (lambda: models.densenet(100), r"densenet: depth is 100; expected one of 121, 169, 201"),
        (lambda: models.mobilenet_v3("medium"), r'mobilenet_v3: size is \'medium\'; expected "large" or "small"'),
        (lambda: models.efficientnet("b9"), r"efficientnet: variant is 'b9'; expected one of b0, b1, .*, lite4"),
        (lambda: models.convnext("base"), r"convnext: variant is 'base'; expected one of tiny, small"),
        (lambda: models.unet(depth=0), r"unet: depth is 0; expected 1 or more"),
        (lambda: models.resnet_cifar(21), r"resnet_cifar: depth is 21; expected 6 n \+ 2"),
        (lambda: models.lenet5(pool="mean"), r'lenet5: pool is \'mean\'; expected "max" or "avg"'),
        (lambda: models.three_convs(head="relu"), r'head is \'relu\'; expected "logits", "softmax" or "sigmoid"'),
    ],
)
def test_mistakes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_every_model_is_told_about():
    assert set(models.ABOUT) == set(SMALL)


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
        for family, (table, few) in FEW.items():
            module = importlib.import_module(f"jaxcnn.models.{family}")  # not the function of this name
            patch.setattr(module, table, few(getattr(module, table)))
        patch.setitem(mobilenet.V3, "small", mobilenet.V3["small"][:4])
        return MODELS[name](**options)


def derivatives(name):
    """As `backprop` computes the first ones and the rules the second, and as JAX does from the plain forwards."""
    net, (shape, _) = smallest(name), SMALL[name]
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, *shape))
    key = jax.random.key(1)
    if name in ENDS_IN_PIXELS:
        labels, loss = rng.standard_normal((3, *summary(net, shape).rows[-1].shape)), ops.mse
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
            if name in FIRST_ORDER:
                slopes, more = gradients(params)
                return slopes, (), more
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
    """Beside the largest of its array rounding counts: batch norm takes off a bias before it, whose gradient is 0."""
    largest = max((np.abs(e).max() for e in jax.tree.leaves(expected)), default=0)
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, rtol=0, atol=rtol * np.abs(e).max() + 1e-15 * largest)


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_derivatives_equal_those_of_autodiff(name):
    """In float64, within 1e-10 of the largest of its array: loss, running statistics and every gradient by `backprop`.

    Within 1e-9: the product of the Hessian and a direction, where it is asked for.
    """
    ours, derived, deltas = derivatives(name)
    assert_close(ours[:3], derived[:3], 1e-10)
    assert_close(ours.product, derived.product, 1e-9)
    rows = summary(smallest(name), SMALL[name][0]).rows
    assert [(path, d.shape[1:]) for path, d in deltas.items()] == [(row.path, row.shape) for row in rows]
