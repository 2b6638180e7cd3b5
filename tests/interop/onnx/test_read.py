"""ONNX files as networks of ours, held against what an ONNX runtime makes of them."""

import re

import jax
import numpy as np
import pytest

import jaxcnn
from jaxcnn import layers
from jaxcnn.models.written import written

pytest.importorskip("onnx")
from tests.interop.onnx import graphs

NEAREST = 'mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric"'
C = {"w": (4, 3, 3, 3), "b": (4,)}
NORM = {"scale": (3,), "bias": (3,), "mean": (3,), "var": np.array([0.5, 1.0, 2.0])}
ROWS = {"m": (48, 5), "v": (5,)}

# What is in a file, its arrays, and what the network is, or its only layer; of the input (n, 3, 8, 8).
CASES = {
    # Windows.
    "conv": (
        "y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b)",
        C,
        "Conv(features=4, stride=2, padding=1)",
    ),
    "asymmetric pads": (
        "y = Conv<pads=[0,1,2,1], dilations=[2,1]>(x, w)",
        C,
        "Conv(features=4, padding=((0, 2), (1, 1)), dilation=(2, 1), use_bias=False)",
    ),
    "SAME_UPPER": ('y = Conv<auto_pad="SAME_UPPER", strides=[2,2]>(x, w, b)', C, "Conv(features=4, stride=2)"),
    "SAME_LOWER": (
        'y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w, b)',
        C,
        "Conv(features=4, stride=2, padding=((1, 0), (1, 0)))",
    ),
    "no pads": ('y = Conv<auto_pad="VALID">(x, w, b)', C, "Conv(features=4, padding='VALID')"),
    "depthwise": (
        "y = Conv<group=3, pads=[1,1,1,1]>(x, w)",
        {"w": (6, 1, 3, 3)},
        "DepthwiseConv(padding=1, multiplier=2, use_bias=False)",
    ),
    "groups": (
        "a = Conv(x, w) y = Conv<group=2>(a, v)",
        {"w": (4, 3, 1, 1), "v": (6, 2, 2, 3)},
        "chain(Conv_0=Conv(features=4, size=1, padding='VALID', use_bias=False), "
        "head=Conv(features=6, size=(2, 3), padding='VALID', groups=2, use_bias=False))",
    ),
    "8 bits": (
        "k = DequantizeLinear<axis=0>(q, s) y = Conv(x, k)",
        {"q": np.arange(-54, 54, dtype=np.int8).reshape(4, 3, 3, 3), "s": np.array([0.1, 0.2, 0.3, 0.4])},
        "Conv(features=4, padding='VALID', use_bias=False)",
    ),
    "transposed": (
        "y = ConvTranspose<strides=[2,2], pads=[1,1,1,1], output_padding=[1,1]>(x, w, b)",
        {"w": (3, 4, 3, 3), "b": (4,)},
        "ConvTranspose(features=4, stride=2, padding=1, output_padding=1)",
    ),
    "max pool": (
        "y = MaxPool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)",
        {},
        "MaxPool(size=3, stride=2, padding=1)",
    ),
    "stride 1": ("y = MaxPool<kernel_shape=[2,2]>(x)", {}, "MaxPool(stride=1)"),
    "ceiled": (
        "y, places = MaxPool<kernel_shape=[3,3], strides=[2,2], ceil_mode=1>(x)",
        {},
        "MaxPool(size=3, stride=2, ceil_mode=True)",
    ),
    "average": (
        "y = AveragePool<kernel_shape=[3,3], strides=[3,3], pads=[1,1,1,1], count_include_pad=1>(x)",
        {},
        "AvgPool(size=3, padding=1, count_padding=True)",
    ),
    "average inside": (
        "y = AveragePool<kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]>(x)",
        {},
        "AvgPool(size=3, stride=2, padding=1)",
    ),
    "whole image": ("y = AveragePool<kernel_shape=[8,8]>(x)", {}, "GlobalAvgPool()"),
    "global": ("y = GlobalMaxPool(x)", {}, "GlobalMaxPool()"),
    "means over space": (
        "axes = Constant<value_ints=[2,3]>() y = ReduceMean<axes=[2,3], keepdims=0>(x)",
        {},
        "GlobalAvgPool()",
    ),
    # Layouts.
    "flatten": (
        "a = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x) f = Flatten(a) y = Gemm<alpha=0.5, beta=2.0>(f, m, v)",
        ROWS,
        "chain(MaxPool_0=MaxPool(), Flatten_0=Flatten(), Dense_0=Dense(features=5))",
    ),
    "transposed matrix": (
        "f = Flatten(x) y = Gemm<transB=1>(f, m)",
        {"m": (5, 192)},
        "chain(Flatten_0=Flatten(), Dense_0=Dense(features=5, use_bias=False))",
    ),
    "norm of a flattened image": (
        "a = MaxPool<kernel_shape=[4,4], strides=[4,4]>(x) f = Flatten(a) r = Relu(f) "
        "n = BatchNormalization(r, s, t, u, v) y = MatMul(n, m)",
        {"s": (12,), "t": (12,), "u": (12,), "v": np.arange(1.0, 13), "m": (12, 12)},
        "chain(MaxPool_0=MaxPool(size=4), Activation_0=Activation(name='relu'), Flatten_0=Flatten(), "
        "BatchNorm_0=BatchNorm(), head=Dense(features=12, use_bias=False))",
    ),
    "flatten written out": (
        "s = Shape(x) i = Constant<value_int=0>() n = Gather(s, i) a = Constant<value_ints=[0]>() "
        "u = Unsqueeze(n, a) o = Constant<value_ints=[-1]>() t = Concat<axis=0>(u, o) "
        "f = Reshape(x, t) y = MatMul(f, m)",
        {"m": (192, 2)},
        "chain(Flatten_0=Flatten(), Dense_0=Dense(features=2, use_bias=False))",
    ),
    "squeezed": (
        "p = GlobalAveragePool(x) a = Constant<value_ints=[2,3]>() f = Squeeze(p, a) y = MatMul(f, m)",
        {"m": (3, 2)},
        "chain(GlobalAvgPool_0=GlobalAvgPool(), Dense_0=Dense(features=2, use_bias=False))",
    ),
    "channels last": (
        "a = Transpose<perm=[0,2,3,1]>(x) d = MatMul(a, m) s = Softmax<axis=3>(d) y = Transpose<perm=[0,3,1,2]>(s)",
        {"m": (3, 4)},
        "chain(Dense_0=Dense(features=4, use_bias=False), Activation_0=Activation(name='softmax'))",
    ),
    "layer norm": (
        "a = Transpose<perm=[0,2,3,1]>(x) d = LayerNormalization<epsilon=1.0e-6>(a, s, t) "
        "y = Transpose<perm=[0,3,1,2]>(d)",
        {"s": (3,), "t": (3,)},
        "LayerNorm(epsilon=1e-06)",
    ),
    # Norms.
    "batch norm": (
        "y = BatchNormalization<epsilon=0.001, momentum=0.99>(x, scale, bias, mean, var)",
        NORM,
        "BatchNorm(momentum=0.99, epsilon=0.001)",
    ),
    "instance norm": ("y = InstanceNormalization(x, s, t)", {"s": (3,), "t": (3,)}, "InstanceNorm()"),
    "local response": (
        "y = LRN<size=3, alpha=0.1, beta=0.7, bias=2.0>(x)",
        {},
        "LocalResponseNorm(size=3, alpha=0.1, beta=0.7, k=2.0)",
    ),
    # Activations, written out and not.
    "relu6": ("y = Clip(x, zero, six)", {"zero": np.float32(0), "six": np.float32(6)}, "Activation(name='relu6')"),
    "relu": ("y = Clip(x, zero)", {"zero": np.float32(0)}, "Activation(name='relu')"),
    "leaky relu": (
        "y = LeakyRelu<alpha=0.1>(x)",
        {},
        "Activation(name='leaky_relu', options=(('slope', 0.1),))",
    ),
    "prelu": ("y = PRelu(x, s)", {"s": (3, 1, 1)}, "PReLU()"),
    "elu": ("y = Elu(x)", {}, "Activation(name='elu')"),
    "hard sigmoid": (
        "y = HardSigmoid(x)",
        {},
        "Activation(name='hard_sigmoid', options=(('slope', 0.2),))",
    ),
    "hard swish": ("h = HardSigmoid<alpha=0.16666667>(x) y = Mul(h, x)", {}, "Activation(name='hard_swish')"),
    "hard swish by relu6": (
        "a = Add(x, three) c = Clip(a, zero, six) p = Mul(x, c) y = Div(p, six)",
        {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6)},
        "Activation(name='hard_swish')",
    ),
    "hard sigmoid behind a convolution": (
        "k = Conv(x, w) a = Add(k, three) c = Clip(a, zero, six) y = Mul(c, sixth)",
        {"w": (2, 3, 1, 1)}
        | {"three": np.float32(3), "zero": np.float32(0), "six": np.float32(6), "sixth": np.float32(1 / 6)},
        "chain(Conv_0=Conv(features=2, size=1, padding='VALID', use_bias=False), "
        "Activation_0=Activation(name='hard_sigmoid'))",
    ),
    "silu": ("s = Sigmoid(x) y = Mul(x, s)", {}, "Activation(name='silu')"),
    "mish": ("s = Softplus(x) t = Tanh(s) y = Mul(x, t)", {}, "Activation(name='mish')"),
    "gelu": (
        "d = Div(x, root) e = Erf(d) o = Add(e, one) p = Mul(x, o) y = Mul(p, half)",
        {"root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)},
        "Activation(name='gelu')",
    ),
    "gelu, halved first": (
        "h = Mul(x, half) d = Div(x, root) e = Erf(d) o = Add(one, e) y = Mul(h, o)",
        {"root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)},
        "Activation(name='gelu')",
    ),
    "dropout": ("r = Constant<value_float=0.2>() y = Dropout(x, r)", {}, "Dropout(rate=0.2)"),
    "nothing": ("i = Identity(x) d = Dropout(i, zero) y = Cast<to=1>(d)", {"zero": np.float32(0)}, "chain()"),
    # Arithmetic with constants.
    "bias apart": (
        "k = Conv(x, w) y = Add(c, k)",
        {"w": (4, 3, 3, 3), "c": (4, 1, 1)},
        "Conv(features=4, padding='VALID')",
    ),
    "scale behind a norm": (
        "n = BatchNormalization(x, scale, bias, mean, var) p = Mul(n, s) y = Sub(p, t)",
        NORM | {"s": (3, 1, 1), "t": np.float32(0.5)},
        "BatchNorm()",
    ),
    "pixels": (
        "a = Sub(x, t) d = Div(a, s) y = Conv<pads=[1,1,1,1]>(d, w, b)",
        C | {"t": (1, 3, 1, 1), "s": (1, 3, 1, 1)},
        "chain(DepthwiseConv_0=DepthwiseConv(size=1), head=Conv(features=4, padding=1))",
    ),
    "a factor": (
        "r = Relu(x) y = Mul(r, s)",
        {"s": np.float32([0.8])},
        "chain(Activation_0=Activation(name='relu'), LayerScale_0=LayerScale(value=1.0))",
    ),
    "scale and shift of rows": (
        "f = Flatten(x) d = MatMul(f, m) t = Tanh(d) n = Neg(t) y = Add(n, v)",
        {"m": (192, 2), "v": (2,)},
        "chain(Flatten_0=Flatten(), Dense_0=Dense(features=2, use_bias=False), Activation_0=Activation(name='tanh'), "
        "head=Dense(features=2))",
    ),
    # Branches.
    "residual": (
        "k = Conv<pads=[1,1,1,1]>(x, w) r = Relu(k) a = Add(x, r) y = Relu(a)",
        {"w": (3, 3, 3, 3)},
        "chain(residual_0=residual(body=chain(Conv_0=Conv(features=3, padding=1, use_bias=False), "
        "Activation_0=Activation(name='relu')), shortcut=chain()), Activation_0=Activation(name='relu'))",
    ),
    "squeeze-excite": (
        "p = GlobalAveragePool(x) a = Conv(p, w, b) r = Relu(a) e = Conv(r, v, c) s = Sigmoid(e) y = Mul(s, x)",
        {"w": (2, 3, 1, 1), "b": (2,), "v": (3, 2, 1, 1), "c": (3,)},
        "gated(body=chain(), gate=chain(GlobalAvgPool_0=GlobalAvgPool(), Dense_0=Dense(features=2), "
        "Activation_0=Activation(name='relu'), Dense_1=Dense(features=3), "
        "Activation_1=Activation(name='sigmoid')))",
    ),
    "squeeze-excite by a mean of windows": (
        "p = ReduceMean<axes=[2,3]>(x) s = Sigmoid(p) y = Mul(x, s)",
        {},
        "gated(body=chain(), gate=chain(GlobalAvgPool_0=GlobalAvgPool(), Activation_0=Activation(name='sigmoid')))",
    ),
    "concat": (
        "k = Conv(x, w) m = MaxPool<kernel_shape=[3,3]>(x) a = AveragePool<kernel_shape=[3,3]>(x) "
        "y = Concat<axis=1>(m, k, a)",
        {"w": (4, 3, 3, 3)},
        "concat(MaxPool_0=MaxPool(size=3, stride=1), Conv_0=Conv(features=4, padding='VALID', use_bias=False), "
        "AvgPool_0=AvgPool(size=3, stride=1))",
    ),
    "dense block": (
        "a = Relu(x) c = Concat<axis=1>(x, a) k = Conv(c, w) d = Concat<axis=1>(x, a, k) l = Conv(d, v) "
        "y = Concat<axis=1>(x, a, k, l)",
        {"w": (2, 6, 1, 1), "v": (2, 8, 1, 1)},
        "chain(concat_0=concat(chain_0=chain(), Activation_0=Activation(name='relu')), "
        "concat_1=concat(chain_0=chain(), Conv_0=Conv(features=2, size=1, padding='VALID', use_bias=False)), "
        "concat_2=concat(chain_0=chain(), Conv_0=Conv(features=2, size=1, padding='VALID', use_bias=False)))",
    ),
    "all of a chain": (
        "a = MaxPool<kernel_shape=[3,3], pads=[1,1,1,1]>(x) b = Tanh(a) y = Concat<axis=1>(x, a, b)",
        {},
        "concat(chain_0=chain(), chain_1=chain(MaxPool_0=MaxPool(size=3, stride=1, padding=1), "
        "concat_0=concat(chain_0=chain(), Activation_0=Activation(name='tanh'))))",
    ),
    "three summed": (
        "r = Relu(x) t = Tanh(x) y = Sum(x, r, t)",
        {},
        "residual(body=residual(body=Activation(name='relu'), shortcut=Activation(name='tanh')), shortcut=chain())",
    ),
    "squared": ("y = Mul(x, x)", {}, "gated(body=chain(), gate=chain())"),
    # Space.
    "pad": (
        'y = Pad<mode="reflect">(x, p)',
        {"p": np.array([0, 0, 1, 2, 0, 0, 1, 0])},
        "Pad(padding=((1, 1), (2, 0)), mode='reflect')",
    ),
    "nearest": (
        f"y = Resize<{NEAREST}>(x, , s)",
        {"s": np.float32([1, 1, 2, 2])},
        "Resize(scale=2.0)",
    ),
    "bilinear": (
        'y = Resize<mode="linear", coordinate_transformation_mode="align_corners">(x, , , s)',
        {"s": np.array([2, 3, 20, 12])},
        "Resize(sizes=(20, 12), method='bilinear', align_corners=True)",
    ),
    "pixel shuffle": (
        'k = Conv(x, w) y = DepthToSpace<blocksize=2, mode="CRD">(k)',
        {"w": (8, 3, 1, 1)},
        "chain(Conv_0=Conv(features=8, size=1, padding='VALID', use_bias=False), PixelShuffle_0=PixelShuffle())",
    ),
}


def images(*shape):
    return np.random.default_rng(1).standard_normal(shape or (2, 3, 8, 8)).astype(np.float32)


def read(made, tmp_path, **options):
    file = tmp_path / "net.onnx"
    file.write_bytes(made.SerializeToString())
    return jaxcnn.load_onnx(file, **options)


def values(net, x):
    """For ONNX's x."""
    return np.asarray(jax.jit(net.network)(net.params, net.state, graphs.channels_last(x)))


def alike(found, expected):
    """Ours as ONNX's, whose 1×1 images are rows here."""
    expected = graphs.channels_last(expected)
    np.testing.assert_allclose(found, expected.reshape(found.shape), rtol=0, atol=3e-6 * np.abs(expected).max())
    assert found.shape == expected.shape or expected.size == expected.shape[0] * expected.shape[-1]


@pytest.mark.parametrize("name", CASES)
def test_a_graph_is_a_tree_with_the_same_values(name, tmp_path):
    body, weights, tree = CASES[name]
    made = graphs.model(body, weights, x="float[2,3,8,8] x" if name == "bilinear" else "float[n,3,8,8] x")
    net = read(made, tmp_path)
    parts = net.network.parts
    assert repr(net.network if len(parts) != 1 else parts[0][1]) == tree
    alike(values(net, images()), graphs.computed(made, images()))
    exec(written(net.network), names := {})
    assert names["network"]() == net.network
    fresh = jax.eval_shape(lambda: net.network.init(jax.random.key(0), jax.ShapeDtypeStruct((2, 8, 8, 3), np.float32)))
    jax.tree.map(lambda a, b: (a.shape, a.dtype) == (b.shape, b.dtype) or pytest.fail(), (net.params, net.state), fresh)


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 21])
def test_operator_sets_of_all_years(opset, tmp_path):
    """What was an attribute became an input, in each operator at another time."""
    of = {
        "Clip": ("Clip<min=0.0, max=6.0>(x)", 11, "Clip(x, zero, six)"),
        "Pad": ("Pad<pads=[0,0,1,1,0,0,1,1]>(c)", 11, "Pad(c, pads)"),
        "Resize": ('Upsample<mode="nearest">(p, scales)', 10, f"Resize<{NEAREST}>(p, scales, scales)"),
        "Dropout": ("Dropout<ratio=0.3>(u)", 12, "Dropout(u, ratio)"),
        "ReduceMean": ("ReduceMean<axes=[2,3]>(d)", 18, "ReduceMean(d, axes)"),
        "Squeeze": ("Squeeze<axes=[2,3]>(m)", 13, "Squeeze(m, axes)"),
    }
    older = {name: before if opset < since else after for name, (before, since, after) in of.items()}
    body = " ".join(f"{y} = {older[op]}" for y, op in zip("cpudmf", of, strict=True)) + " y = Softmax<axis=1>(f)"
    weights = {
        "zero": np.float32(0),
        "six": np.float32(6),
        "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
        "scales": np.float32([1, 1, 2, 2]),
        "ratio": np.float32(0.3),
        "axes": np.array([2, 3]),
    }
    used = {name: a for name, a in weights.items() if re.search(rf"\b{name}\b(?!=)", body)}
    made = graphs.model(body, used, opset=opset, ir=10 if opset > 17 else 8)
    net = read(made, tmp_path)
    assert repr(net.network) == (
        "chain(Activation_0=Activation(name='relu6'), Pad_0=Pad(padding=((1, 1), (1, 1))), Resize_0=Resize(scale=2.0), "
        "Dropout_0=Dropout(rate=0.3), GlobalAvgPool_0=GlobalAvgPool(), Activation_1=Activation(name='softmax'))"
    )
    alike(values(net, images()), graphs.computed(made, images()))


def test_by_hand(tmp_path):
    """A 1×1 convolution, a flattened image and a matrix, multiplied out here."""
    made = graphs.model(
        "k = Conv(x, w) f = Flatten(k) y = Gemm(f, m, v)", {"w": (2, 3, 1, 1), "m": (128, 4), "v": (4,)}
    )
    w, m, v = (np.frombuffer(a.raw_data, np.float32).reshape(a.dims) for a in made.graph.initializer)
    expected = np.einsum("nihw,oi->nohw", images(), w[:, :, 0, 0]).reshape(2, -1) @ m + v
    net = read(made, tmp_path)
    assert net.image_shape == (8, 8, 3) and net.metadata == {"classes": "cat, dog"}
    alike(values(net, images()), expected)


def test_a_network_has_a_head_and_may_end_in_logits(tmp_path):
    made = graphs.model(
        "k = Conv(x, w) r = Relu(k) p = GlobalAveragePool(r) f = Flatten(p) d = Gemm(f, m, v) y = Softmax<axis=1>(d)",
        {"w": (4, 3, 3, 3), "m": (4, 5), "v": (5,)},
    )
    net = read(made, tmp_path)
    assert repr(net.network.parts[-1]) == (
        "('head', chain(Dense_0=Dense(features=5), Activation_0=Activation(name='softmax')))"
    )
    assert list(net.params) == ["Conv_0", "head"] and list(net.params["head"]) == ["Dense_0"]
    without = read(made, tmp_path, logits=True)
    assert repr(without.network.parts[-1]) == "('head', Dense(features=5))"
    alike(jax.nn.softmax(values(without, images())), graphs.computed(made, images()))
    pooled = layers.features(net.network)(net.params, net.state, graphs.channels_last(images()))
    assert pooled.shape == (2, 4)


def test_a_network_that_takes_its_channels_last(tmp_path):
    """As TensorFlow's are exported: what comes in is shifted and padded, then transposed."""
    made = graphs.model(
        "a = Sub(x, t) b = Pad(a, e) i = Transpose<perm=[0,3,1,2]>(b) k = Conv(i, w) "
        "o = Transpose<perm=[0,2,3,1]>(k) p = ReduceMean<axes=[1,2], keepdims=0>(o) y = MatMul(p, m)",
        {"t": (3,), "e": np.array([0, 1, 1, 0, 0, 1, 1, 0]), "w": (4, 3, 3, 3), "m": (4, 2)},
        x="float[n,8,6,3] x",
    )
    net, x = read(made, tmp_path), images(2, 8, 6, 3)
    assert net.image_shape == (8, 6, 3)
    found = jax.jit(net.network)(net.params, net.state, x)
    np.testing.assert_allclose(found, graphs.computed(made, x), atol=1e-5)


def test_one_channel_that_is_moved_by_reshaping(tmp_path):
    """As tf2onnx writes the transposing of a grey image, and of one pixel."""
    made = graphs.model(
        "s = Constant<value_ints=[-1,1,8,6]>() i = Reshape(x, s) k = Conv(i, w) "
        "p = AveragePool<kernel_shape=[6,4]>(k) l = Constant<value_ints=[-1,1,1,4]>() c = Reshape(p, l) "
        "r = Constant<value_ints=[-1,4]>() f = Reshape(c, r) y = MatMul(f, m)",
        {"w": (4, 1, 3, 3), "m": (4, 2)},
        x="float[n,8,6,1] x",
    )
    net, x = read(made, tmp_path), images(2, 8, 6, 1)
    assert net.image_shape == (8, 6, 1)
    found = jax.jit(net.network)(net.params, net.state, x)
    np.testing.assert_allclose(found, graphs.computed(made, x), atol=1e-5)


def test_sizes_that_the_file_leaves_open(tmp_path):
    body, weights = "k = Conv(x, w) y = GlobalAveragePool(k)", {"w": (4, 3, 3, 3)}
    made = graphs.model(body, weights, x="float[n,3,h,w0] x")
    net = read(made, tmp_path)
    assert net.image_shape == (224, 224, 3)
    alike(values(net, images(2, 3, 9, 5)), graphs.computed(made, images(2, 3, 9, 5)))
    assert read(made, tmp_path, image_shape=(9, 5, 3)).image_shape == (9, 5, 3)
    with pytest.raises(ValueError, match=r"image_shape is \(9, 5, 4\); the file's images are open × open × 3, ch"):
        read(made, tmp_path, image_shape=(9, 5, 4))
    with pytest.raises(ValueError, match=r"its images are 8 × 8 × open, channels last: give image_shape, such as"):
        read(graphs.model(body, weights, x="float[n,c,8,8] x"), tmp_path)
    lower = graphs.model('y = Conv<auto_pad="SAME_LOWER", strides=[2,2]>(x, w)', weights, x="float[n,3,h,w0] x")
    with pytest.raises(ValueError, match="SAME_LOWER, which depends on the size of images"):
        read(lower, tmp_path)


def test_rows_and_sequences(tmp_path):
    weights = {"m": (6, 5), "v": (5,), "n": (5, 2), "w": (4, 6, 3)}
    made = graphs.model("d = Gemm(x, m, v) r = Relu(d) y = MatMul(r, n)", weights, x="float[n,6] x")
    net, x = read(made, tmp_path), images(2, 6)
    assert net.image_shape == (6,)
    alike(values(net, x), graphs.computed(made, x))
    made = graphs.model("k = Conv<pads=[0,2]>(x, w) y = MaxPool<kernel_shape=[2]>(k)", weights, x="float[n,6,9] x")
    net, x = read(made, tmp_path), images(2, 6, 9)
    assert net.image_shape == (9, 6)
    alike(values(net, x), graphs.computed(made, x))


def test_a_batch_of_a_fixed_size_is_of_any_here(tmp_path):
    made = graphs.model(
        "k = Conv(x, w) s = Constant<value_ints=[1,144]>() f = Reshape(k, s) y = MatMul(f, m)",
        {"w": (4, 3, 3, 3), "m": (144, 2)},
        x="float[1,3,8,8] x",
    )
    found = values(read(made, tmp_path), images())
    alike(found, np.concatenate([graphs.computed(made, x[None]) for x in images()]))


def test_halves_and_weights_beside_the_file(tmp_path):
    import onnx

    weights = {"w": np.random.default_rng(0).random((4, 3, 3, 3)).astype(np.float16)}
    made = graphs.model("c = Cast<to=1>(w) y = Conv(x, c)", weights)
    expected = graphs.computed(made, images())
    net = read(made, tmp_path)
    assert net.params["Conv_0"]["kernel"].dtype == np.float32
    alike(values(net, images()), expected)

    file = tmp_path / "apart" / "net.onnx"
    file.parent.mkdir()
    options = {"save_as_external_data": True, "location": "net.data", "size_threshold": 0}
    onnx.save_model(made, file, **options)
    net = jaxcnn.load_onnx(file)
    alike(values(net, images()), expected)
    beside = file.parent / "net.data"
    beside.write_bytes(beside.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"net\.data is damaged: it does not hold all of the weights 'w'\."):
        jaxcnn.load_onnx(file)
    beside.unlink()
    with pytest.raises(ValueError, match=r"net\.onnx: the weights 'w' lie in a file of their own, and there is no .*"):
        jaxcnn.load_onnx(file)
    moved = onnx.load(file, load_external_data=False)
    for where in ("../secret", "/etc/hostname"):
        moved.graph.initializer[0].external_data[0].value = where
        file.write_bytes(moved.SerializeToString())
        with pytest.raises(ValueError, match=r"the weights 'w' are to lie in .*, outside of its folder; not opened\."):
            jaxcnn.load_onnx(file)


def test_one_of_several_outputs(tmp_path):
    made = graphs.model("y = Relu(x) z = Fancier(y)", {}, y="y, z")
    made.graph.node[1].op_type = "Det"
    with pytest.raises(ValueError, match="it has several outputs, 'y', 'z'; say which by output"):
        read(made, tmp_path)
    with pytest.raises(ValueError, match="output is 'w'; expected one of 'y', 'z'"):
        read(made, tmp_path, output="w")
    assert repr(read(made, tmp_path, output="y").network.parts[0][1]) == "Activation(name='relu')"


# What is refused, and how it is told.
REFUSED = {
    "unknown": ("a = Relu(x) y = Fancy(a)", {}, r"node 'node1' \(Fancy\) is no operator that is known here"),
    "other domain": ("y = com.corp.Fancy(x)", {}, r"\(Fancy\) is no operator of 'com\.corp' that is known here"),
    "not read": ("y = Det(x)", {}, r"node 'node0' \(Det\) is an operator that is not known here; known are Add, "),
    "not read, damaged": (
        "y = Det(x, x, x)",
        {},
        r"\(Det\) is an operator that is not known here; kn",
    ),
    "no tree": (
        "a = Relu(x) b = Tanh(x) c = Add(a, b) d = Sigmoid(b) e = Concat<axis=1>(c, d) y = Neg(e)",
        {},
        r"node 'node1' \(Tanh\) has an output that several branches share, which are joined at different places",
    ),
    "weights computed": (
        "y = Conv(x, x)",
        {},
        r"node 'node0' \(Conv\) computes its kernel from the image; expected a constant",
    ),
    "shuffled": (
        "s = Constant<value_ints=[-1,2,3,4,8]>() y = Reshape(x, s)",
        {},
        r"node 'node1' \(Reshape\) reshapes \(1, 3, 8, 8\) to \(1, 2, 3, 4, 8\); only whole axes",
    ),
    "of the batch": ("y = Transpose<perm=[1,0,2,3]>(x)", {}, r"\(Transpose\) moves the batch's axis"),
    "flat in another order": ("y = Flatten(x)", {}, r"\(Flatten\) gives \(1, 192\), with axes joined or exchanged"),
    "a place each": (
        "y = Add(x, c)",
        {"c": (3, 8, 8)},
        r"\(Add\) has a constant of the shape \(3, 8, 8\) for an ",
    ),
    "by the image": ("p = GlobalAveragePool(x) y = Add(x, p)", {}, r"\(Add\) joins arrays of the shapes .*: none is"),
    "softmax over all": ("y = Softmax<axis=2>(x)", {}, r"\(Softmax\) works along axis 2 of .* is not its channels"),
    "clip": (
        "y = Clip(x, low, high)",
        {"low": np.float32(-1), "high": np.float32(1)},
        r"node 'node0' \(Clip\) holds values between -1 and 1; known are relu, relu6 and hard sigmoids",
    ),
    "erf": ("y = Erf(x)", {}, r"\(Erf\) is known as a part of GELU alone"),
    "channels": (
        "y = Conv(x, w)",
        {"w": (4, 2, 3, 3)},
        r"\(Conv\) does not fit what .* \(1, 3, 8, 8\): conv",
    ),
    "features": ("f = Flatten(x) y = MatMul(f, m)", {"m": (9, 2)}, r"takes 9 features, and 192 come in"),
    "second output": ("m, i = MaxPool<kernel_shape=[2,2]>(x) y = Cast<to=1>(i)", {}, "takes 'i', a second output or"),
    "random": (
        "r = RandomNormal<shape=[1]>() y = Add(x, r)",
        {},
        r"node 'node0' \(RandomNormal\) is an operator that is",
    ),
    "constants": (
        "c = Reshape(w, s) y = Conv(x, c)",
        {"w": (4, 3, 3, 3), "s": np.array([5, 5])},
        r"node 'node0' \(Reshape\) has only constants for inputs and can't be computed: cannot reshape",
    ),
    "auto_pad": ('y = Conv<auto_pad="same">(x, w)', {"w": (4, 3, 3, 3)}, r"\(Conv\) has auto_pad 'same' and pads"),
    "mode": ('y = Resize<mode="x">(x, , s)', {"s": np.float32([1, 1, 2, 2])}, r"that do not fit .* \(KeyError: 'x'\)"),
    "training": (
        "y, m2, v2 = BatchNormalization<training_mode=1>(x, scale, bias, mean, var)",
        NORM,
        r"\(BatchNormalization\) is in training mode",
    ),
    "nearest": (
        'y = Resize<mode="nearest", nearest_mode="ceil">(x, , s)',
        {"s": np.float32([1, 1, 2, 2])},
        r"\(Resize\) takes its outputs from other places \('half_pixel'\)",
    ),
    "nothing of x": ("y = Constant<value_ints=[1]>()", {}, "output 'y' is not made of its input"),
    "missing": ("y = Add(x, z)", {}, r"node 'node0' \(Add\) is damaged: it takes 'z', which nothing before it makes"),
    "attribute": ("y = Concat(x, x)", {}, r"node 'node0' \(Concat\) is damaged: Required attribute 'axis' is missing"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_known_is_named(name, tmp_path):
    body, weights, message = REFUSED[name]
    with pytest.raises(ValueError, match=r"net\.onnx: .*" + message):
        read(graphs.model(body, weights), tmp_path)


def test_what_is_no_onnx_file(tmp_path):
    whole = graphs.model("y = Conv(x, w)", {"w": (4, 3, 3, 3)}).SerializeToString()
    for content in (b"", b"no ONNX at all", whole[:-1], whole[: len(whole) // 2]):
        file = tmp_path / "cut.onnx"
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"cut\.onnx: it is damaged, or no ONNX file: "):
            jaxcnn.load_onnx(file)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.onnx\."):
        jaxcnn.load_onnx(tmp_path / "none.onnx")
    with pytest.raises(IsADirectoryError, match="is a directory; expected a file"):
        jaxcnn.load_onnx(tmp_path)
    two = graphs.model("y = Add(x, z)", {}, x="float[n,3,8,8] x, float[n,3,8,8] z")
    with pytest.raises(ValueError, match=r"it has 2 inputs \('x', 'z'\); expected one, a batch of images"):
        read(two, tmp_path)
    with pytest.raises(ValueError, match=r"it is of operator set 6; expected 7 or a later one"):
        read(graphs.model("y = Relu(x)", {}, opset=6), tmp_path)
    wrong = graphs.model("y = Conv(x, w)", {"w": (4, 3, 3, 3)})
    wrong.graph.initializer[0].raw_data = b"1234"
    with pytest.raises(ValueError, match=r"net\.onnx: it is damaged, in the weights 'w': "):
        read(wrong, tmp_path)
