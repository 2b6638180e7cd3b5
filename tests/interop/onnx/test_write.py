"""Networks as ONNX files: what ONNX Runtime makes of them."""

import re
from dataclasses import dataclass

import jax
import numpy as np
import pytest

from jaxcnn import layers
from jaxcnn.layers import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    LayerScale,
    LocalResponseNorm,
    LpPool,
    MaxPool,
    Pad,
    PixelShuffle,
    PReLU,
    Resize,
    RMSNorm,
    SpatialDropout,
    SpectralNorm,
    StochasticDepth,
    WeightNorm,
    WeightStandardizedConv,
    chain,
    concat,
    dequantise,
    fold_batch_norm,
    gated,
    quantise,
    residual,
    squeeze_excite,
)
from jaxcnn.layers.pointwise import ACTIVATIONS
from tests.models.test_models import ONE_OF_EACH, SMALL, smallest
from tests.models.weights import random_weights

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
from jaxcnn.interop.onnx.write import dump  # noqa: E402  (needs onnx)
from jaxcnn.interop.onnx.write_layers import WRITTEN  # noqa: E402


def channels_second(x):
    return np.moveaxis(np.asarray(x), -1, 1)


def run(file, x):
    """What ONNX Runtime makes of x, channels last, by a file that the checker finds right."""
    onnx.checker.check_model(onnx.load_from_string(file), full_check=True)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": channels_second(x)})[0]


def assert_same(network, shape, rtol=1e-4, weights=None, batches=(1, 3)):
    """Random images through both, relative to the largest value."""
    params, state = random_weights(network, shape) if weights is None else weights
    file = dump(network, params, state, shape)
    x = np.random.default_rng(1).standard_normal((max(batches), *shape), np.float32)
    expected = channels_second(jax.jit(lambda x: network(dequantise(params), state, x))(x))
    for n in batches:
        np.testing.assert_allclose(run(file, x[:n]), expected[:n], rtol=0, atol=rtol * np.abs(expected).max())
    return file


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_networks(name):
    network, (shape, _) = smallest(name), SMALL[name]
    assert_same(network, shape, 1e-5)


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0", "densenet121", "unet"])
def test_folded_networks(name):
    network, (shape, _) = smallest(name), SMALL[name]
    folded, *weights = fold_batch_norm(network, *random_weights(network, shape))
    file = assert_same(folded, shape, 1e-5, weights)
    left = sum(node.op_type == "BatchNormalization" for node in onnx.load_from_string(file).graph.node)
    assert left == (5 if name == "densenet121" else 0)


def test_one_layer_in_8_bits():
    layer = Conv(3)
    params, state = random_weights(layer, (5, 5, 2))
    assert_same(layer, (5, 5, 2), 1e-5, (quantise(layer, params), state))


@pytest.mark.parametrize("name", ["lenet5", "mobilenet_v2", "unet"])
def test_kernels_in_8_bits(name):
    network, (shape, _) = smallest(name), SMALL[name]
    params, state = random_weights(network, shape)
    file = assert_same(network, shape, 1e-5, (quantise(network, params), state))
    kernels = sum(a.size for path, a in jax.tree.leaves_with_path(params) if path[-1].key == "kernel")
    of_int8 = [a for a in onnx.load_from_string(file).graph.initializer if a.data_type == onnx.TensorProto.INT8]
    assert sum(np.prod(a.dims) for a in of_int8) == kernels
    assert len(dump(network, params, state, shape)) - len(file) > 2.5 * kernels  # less names, nodes and scales


# Every kind of layer with options that change how it is written, on images of 8 channels; of one axis and three, too.
KINDS: dict[str, Layer] = {
    "conv": Conv(6, (3, 2), (2, 1), "SAME", (1, 2), groups=2),
    "conv, no bias": Conv(6, 2, padding=((0, 2), (1, 0)), use_bias=False),
    **{f"conv, {mode}": Conv(4, padding=2, padding_mode=mode) for mode in ("reflect", "replicate", "circular")},
    "conv, symmetric": Conv(4, 5, stride=2, padding_mode="symmetric"),
    "standardized": WeightStandardizedConv(6),
    "depthwise": DepthwiseConv(5, 2, multiplier=2),
    "transposed": ConvTranspose(6, 3, stride=2, padding=((1, 0), (2, 1)), output_padding=1, dilation=2, groups=2),
    "transposed, SAME": ConvTranspose(6, 3, stride=2),
    "transposed, SAME, short": ConvTranspose(6, 1, stride=2),
    "transposed, output padding": ConvTranspose(6, 3, stride=2, padding="VALID", output_padding=2, dilation=3),
    "dense": chain(pool=GlobalAvgPool(), dense=Dense(5), more=Dense(3, use_bias=False)),
    "dense over channels": Dense(5),
    "spectral": SpectralNorm(Conv(6, 3)),
    "weight norm": chain(
        conv=WeightNorm(ConvTranspose(6, 2, stride=2)), pool=GlobalMaxPool(), dense=WeightNorm(Dense(3))
    ),
    "batch norm": BatchNorm(epsilon=0.1, momentum=None),
    "batch norm of features": chain(pool=GlobalAvgPool(), bn=BatchNorm()),
    "group norm": GroupNorm(4, epsilon=0.1),
    "group norm of features": chain(pool=GlobalAvgPool(), gn=GroupNorm(2)),
    "instance norm": InstanceNorm(epsilon=0.1),
    "layer norm": LayerNorm(epsilon=0.1),
    "layer norm of features": chain(pool=GlobalAvgPool(), ln=LayerNorm()),
    "rms norm": RMSNorm(epsilon=0.1),
    "layer scale": LayerScale(),
    "local response": LocalResponseNorm(3, alpha=0.1, beta=0.5, k=2.0),
    **{f"activation, {name}": Activation(name) for name in ACTIVATIONS},
    **{
        f"activation, {name} {options}": Activation(name, options)
        for name, options in (
            ("leaky_relu", {"slope": 0.3}),
            ("elu", {"alpha": 0.5}),
            ("hard_sigmoid", {"slope": 0.2, "offset": 0.4}),
            ("softplus", {"beta": 2.0, "threshold": 20}),
            ("gelu", {"approximate": True}),
            ("softmax", {"axis": 1}),
            ("softmax", {"axis": 2}),
            ("log_softmax", {"axis": -2}),
        )
    },
    "prelu": PReLU(),
    "softmax of features": chain(pool=GlobalAvgPool(), softmax=Activation("softmax")),
    "dropouts": chain(a=Dropout(0.5), b=SpatialDropout(0.5), c=residual(StochasticDepth(0.5))),
    "max pool": MaxPool((3, 2), stride=2, padding=((1, 0), (0, 1)), dilation=2),
    "max pool, ceil": MaxPool(3, stride=2, ceil_mode=True),
    "max pool, SAME": MaxPool(3, stride=2, padding="SAME"),
    "max pool, FULL": MaxPool(2, stride=1, padding="FULL", dilation=2),
    "mean pool": AvgPool((3, 2), stride=2, padding=1),
    "mean pool, ceil": AvgPool(3, stride=2, padding=1, ceil_mode=True),
    "mean pool, padding counts": AvgPool(3, stride=2, padding=1, ceil_mode=True, count_padding=True),
    "mean pool, divisor": AvgPool(3, stride=2, padding=1, divisor_override=5),
    "lp pool": LpPool(3, stride=2, padding=1, p=2),
    "adaptive mean": AdaptiveAvgPool((3, 1)),
    "adaptive max": AdaptiveMaxPool((2, 4)),
    "flatten": chain(flatten=Flatten(), dense=Dense(3), again=Flatten()),
    "flatten one pixel": chain(pool=AdaptiveAvgPool(1), flatten=Flatten()),
    "pad": Pad(((1, 2), (0, -1)), value=3.0),
    "whole numbers": chain(
        pad=Pad(1, value=3),
        rms=RMSNorm(epsilon=1),
        gn=GroupNorm(2, epsilon=1),
        ln=LayerNorm(epsilon=1),
        bn=BatchNorm(epsilon=1),
        elu=Activation("elu", {"alpha": 2}),
        lrn=LocalResponseNorm(3, alpha=1, beta=1, k=2),
        pool=AvgPool(2, divisor_override=3),
    ),
    "pad, circular and cropped": Pad(((2, -1), (0, 3)), mode="circular"),
    "shuffle": PixelShuffle(2),
    "shuffle, oblong": PixelShuffle((4, 2)),
    "nearest": Resize(2),
    "nearest, smaller": Resize(sizes=(4, 5)),
    "bilinear": Resize(1.7, method="bilinear"),
    "bilinear, corners": Resize(sizes=(11, 9), method="bilinear", align_corners=True),
    "bilinear, antialias": Resize(0.4, method="bilinear", antialias=True),
    "bicubic": Resize(2, method="bicubic"),
    "bicubic, antialias": Resize(0.5, method="bicubic", antialias=True),
    "concat": concat(a=chain(), b=Conv(2), c=Activation("tanh")),
    "three branches": layers.combine.Branches((("a", chain()), ("b", Conv(8)), ("c", Conv(8))), "add"),
    "squeeze and excite": squeeze_excite(8),
    "gate of images": gated(Conv(8), Conv(8)),
    "nothing": chain(),
}
OTHER_AXES: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "1": (chain(conv=Conv(6, 4, stride=2), pool=MaxPool(2), ln=LayerNorm(), dense=Dense(2), f=Flatten()), (12, 4)),
    "3": (chain(conv=Conv(4, 2), pool=AvgPool(2), gn=GroupNorm(2), dense=Dense(3), f=Flatten()), (4, 4, 6, 2)),
    "1, resized": (chain(a=Resize(2), b=Pad(2, mode="reflect"), c=Resize(1.5, method="bilinear")), (6, 3)),
    "3, resized": (chain(a=Resize(2), b=Resize(sizes=(2, 3, 5), method="bilinear")), (2, 3, 2, 2)),
    "none": (chain(dense=Dense(3), relu=Activation("relu")), (7,)),
    "grown": (chain(grow=ConvTranspose(4, 2, stride=2), shuffle=PixelShuffle(2)), (6, 3)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_layers(kind):
    assert_same(KINDS[kind], (6, 8, 8), 1e-5)


@pytest.mark.parametrize("axes", OTHER_AXES)
def test_other_axes(axes):
    assert_same(*OTHER_AXES[axes], 1e-5)


def test_every_kind_of_layer_is_written():
    kinds = {getattr(layers, name) for name in layers.__all__}
    leaves = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, Layer) and kind is not Layer}
    assert leaves == set(WRITTEN)


def test_the_file_says_what_it_takes_and_what_it_was_told():
    network, shape = chain(conv=Conv(3), relu=Activation("relu")), (4, 6, 2)
    model = onnx.load_from_string(dump(network, *random_weights(network, shape), shape, metadata={"classes": '["é"]'}))
    sizes = [
        [dim.dim_param or dim.dim_value for dim in end.type.tensor_type.shape.dim]
        for end in (*model.graph.input, *model.graph.output)
    ]
    assert sizes == [["n", 2, 4, 6], ["n", 3, 4, 6]]
    assert {p.key: p.value for p in model.metadata_props} == {"classes": '["é"]'}
    assert [(o.domain, o.version) for o in model.opset_import] == [("", 18)]
    assert {a.name for a in model.graph.initializer} == {"conv/kernel", "conv/bias"}


@dataclass(frozen=True)
class Mine(Layer):
    """A kind that ONNX has no operator for."""

    def apply(self, params, state, x, *, train=False, key=None):
        return x, state


@pytest.mark.parametrize(
    "layer, why",
    [
        (Mine(), r"Mine\(\), which can't be written as ONNX: its kind is not known there"),
        (LocalResponseNorm(4), r"LocalResponseNorm\(size=4\), which can't be written as ONNX: an even window"),
        (LpPool(2, p=3), "for even p only"),
        (AvgPool(2, dilation=2), "no dilation"),
        (Activation("softplus", {"threshold": 3}), "no threshold"),
        (AdaptiveAvgPool(5), r"its bins over an image of \(6, 8\) are unequal"),
        (Resize(0.5, method="bilinear", antialias=True, align_corners=True), "another scale"),
    ],
)
def test_what_can_not_be_written_is_named(layer, why):
    network = chain(block=residual(chain(layer=layer), chain(layer=layer)))
    with pytest.raises(ValueError, match=re.escape("layer 'block/body/layer' is ") + f".*{why}"):
        dump(network, {}, {}, (6, 8, 8))
