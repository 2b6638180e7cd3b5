"""Every layer and every model as a whole: its handwritten gradients against autodiff of the same network."""

import inspect

import jax
import numpy as np
import pytest
from jax import ShapeDtypeStruct

import jaxcnn
from jaxcnn import layers
from jaxcnn.layers import Activation, Conv, Dense, chain, concat, gated, residual
from jaxcnn.verify import check
from tests.models.test_models import SMALL, smallest
from tests.verify.weights import drawn

LAYERS = {
    "Activation": (Activation("gelu"), (3, 4)),
    "AdaptiveAvgPool": (layers.AdaptiveAvgPool((2, 3)), (5, 4, 2)),
    "AdaptiveMaxPool": (layers.AdaptiveMaxPool(3), (5, 4, 2)),
    "AvgPool": (layers.AvgPool(2, stride=1), (4, 5, 2)),
    "BatchNorm": (layers.BatchNorm(), (4, 3, 2)),
    "Conv": (Conv(4, (3, 2), stride=2, groups=2), (5, 6, 2)),
    "ConvTranspose": (layers.ConvTranspose(4, (3, 2), stride=2, padding=1, output_padding=1, groups=2), (3, 4, 2)),
    "Dense": (Dense(3), (4,)),
    "DepthwiseConv": (layers.DepthwiseConv(3, stride=2, multiplier=2), (5, 4, 3)),
    "Dropout": (layers.Dropout(0.3), (4, 3)),
    "Flatten": (layers.Flatten(), (3, 2, 2)),
    "GlobalAvgPool": (layers.GlobalAvgPool(), (3, 4, 2)),
    "GlobalMaxPool": (layers.GlobalMaxPool(), (3, 4, 2)),
    "GroupNorm": (layers.GroupNorm(2), (3, 2, 4)),
    "InstanceNorm": (layers.InstanceNorm(), (3, 2, 3)),
    "LayerNorm": (layers.LayerNorm(), (3, 2, 4)),
    "LayerScale": (layers.LayerScale(0.5), (3, 2, 4)),
    "LocalResponseNorm": (layers.LocalResponseNorm(3, alpha=0.5), (3, 2, 5)),
    "LpPool": (layers.LpPool(2, p=3), (5, 4, 2)),
    "MaxPool": (layers.MaxPool(3, stride=2, padding="SAME"), (5, 6, 2)),
    "PReLU": (layers.PReLU(), (3, 2, 4)),
    "Pad": (layers.Pad(((1, 2), (2, 0)), "reflect"), (4, 3, 2)),
    "PixelShuffle": (layers.PixelShuffle(2), (3, 2, 4)),
    "RMSNorm": (layers.RMSNorm(), (3, 2, 4)),
    "Resize": (layers.Resize(2, method="bilinear"), (3, 4, 2)),
    "SpatialDropout": (layers.SpatialDropout(0.4), (3, 2, 5)),
    "SpectralNorm": (layers.SpectralNorm(Conv(4, (3, 2), stride=2)), (5, 4, 3)),
    "StochasticDepth": (layers.StochasticDepth(0.5), (4, 3)),
    "WeightNorm": (layers.WeightNorm(layers.ConvTranspose(4, 3, groups=2)), (3, 4, 2)),
    "WeightStandardizedConv": (layers.WeightStandardizedConv(4, (3, 2), stride=2), (5, 4, 3)),
    "chain": (chain(conv=Conv(3), relu=Activation("relu"), pool=layers.MaxPool(2)), (4, 6, 2)),
    "concat": (concat(wide=Conv(3, 3), narrow=Conv(2, 1)), (4, 5, 2)),
    "gated": (gated(Conv(3, 1), Conv(3)), (4, 3, 2)),
    "residual": (residual(Conv(2)), (4, 5, 2)),
    "separable_conv": (layers.separable_conv(4, stride=2), (5, 4, 3)),
    "squeeze_excite": (layers.squeeze_excite(4, reduction=2), (3, 2, 4)),
}
COMPOSED = {"chain", "concat", "gated", "residual", "separable_conv", "squeeze_excite"}


def verified(net, shape, batch, checks=None):
    """The report on (params, x) -> y in training."""
    x = np.random.default_rng(0).standard_normal((batch, *shape)).astype(np.float32)
    params, state = drawn(net, ShapeDtypeStruct(x.shape, x.dtype))

    def handwritten(params, x):
        return net.apply(params, state, x, train=True, key=jax.random.key(1))[0]

    def autodiff(params, x):
        with jaxcnn.backward("autodiff"):
            return handwritten(params, x)

    return check(handwritten, (params, x), reference=autodiff, checks=checks)


def test_every_layer_is_here():
    made = {name for name in layers.__all__ if inspect.isclass(thing := getattr(layers, name)) and is_layer(thing)}
    assert made | COMPOSED == set(LAYERS)


def is_layer(thing):
    return issubclass(thing, layers.Layer) and thing is not layers.Layer


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_passes_every_check(name):
    net, shape = LAYERS[name]
    report = verified(net, shape, 2)
    assert report.ok, str(report)


@pytest.mark.parametrize("name", ["two_filters", "lenet5", "conv_blocks", "cifar_small", "resnet20"])
def test_a_model_passes(name):
    """On ties, zeros, constants, large and tiny values too; every parameter and the image, in float64.

    In deeper ones, of the same layers, batch norm upon batch norm amplifies rounding until it decides all; on given
    values tests/models has every family's gradients.
    """
    report = verified(smallest(name), SMALL[name][0], 2, ("autodiff", "zero", "finite"))
    assert report.ok, str(report)
    (autodiff,) = (check for check in report.checks if check.name == "autodiff")
    assert "separated" not in autodiff.note
