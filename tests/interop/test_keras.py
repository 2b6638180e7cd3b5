"""Keras's files: every version's layout gives the same arrays, and nothing outside the file is read."""

import io
import json
import sys
import zipfile

import jax
import ml_dtypes
import numpy as np
import pytest

import jaxcnn
from jaxcnn.interop import files, keras
from jaxcnn.interop.convert import entries
from jaxcnn.interop.load import save
from jaxcnn.layers import Conv, DepthwiseConv, chain
from tests.interop.test_load import random, table_of

h5py = pytest.importorskip("h5py")

RNG = np.random.default_rng(0)


def array(*shape):
    return RNG.random(shape, np.float32)


# A model's layers: class, name, and arrays in Keras's order.
LAYERS = [
    ("Conv2D", "stem/conv", [array(3, 3, 3, 4), array(4)]),
    ("BatchNormalization", "stem/bn", [array(4) for _ in range(4)]),
    ("Conv2D", "second", [array(1, 1, 4, 4)]),
    ("SeparableConv2D", "sep", [array(3, 3, 4, 1), array(1, 1, 4, 2), array(2)]),
    ("PReLU", "slopes", [array(1, 1, 2)]),
    ("Normalization", "pixels", [array(3), array(3), np.int64(0)]),
    ("LayerNormalization", "ln", [array(2), array(2)]),
    ("Dense", "head", [array(2, 5), array(5)]),
]
NORM = ("gamma", "beta", "moving_mean", "moving_variance")
EXPECTED = {
    **dict(zip(("stem_conv/kernel", "stem_conv/bias"), LAYERS[0][2], strict=True)),
    **dict(zip((f"stem_bn/{n}" for n in NORM), LAYERS[1][2], strict=True)),
    "second/kernel": LAYERS[2][2][0],
    **dict(zip(("sep/depthwise/kernel", "sep/pointwise/kernel", "sep/pointwise/bias"), LAYERS[3][2], strict=True)),
    "slopes/alpha": LAYERS[4][2][0],
    **dict(zip((f"pixels/{n}" for n in ("mean", "variance", "count")), LAYERS[5][2], strict=True)),
    **dict(zip(("ln/gamma", "ln/beta"), LAYERS[6][2], strict=True)),
    **dict(zip(("head/kernel", "head/bias"), LAYERS[7][2], strict=True)),
}  # fmt: skip
PLACES = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "SeparableConv2D": "separable_conv2d"} | {
    "PReLU": "p_re_lu", "Normalization": "normalization", "LayerNormalization": "layer_normalization", "Dense": "dense",
}  # fmt: skip


def keras2(file, *, model=False, suffix=":0", layers=LAYERS):
    """Keras 2: groups by layers' names, whose attributes say the order; TensorFlow numbers a second model's names."""
    with h5py.File(file, "w") as opened:
        root = opened.create_group("model_weights") if model else opened
        if model:
            opened.create_group("optimizer_weights")["adam"] = array(3)
        root.attrs["layer_names"] = [b"input", *(name.encode() for _, name, _ in layers)]
        root.create_group("input").attrs["weight_names"] = []
        for _, name, arrays in layers:
            names = [f"{name}_1/w{number}{suffix}" for number in range(len(arrays))]
            group = root.create_group(name)
            group.attrs["weight_names"] = [n.encode() for n in names]
            for n, a in zip(names, arrays, strict=True):
                group[n] = a


def keras3(file, *, named=True):
    """Keras 3: by the names of classes, numbered."""
    used = {}
    with h5py.File(file, "w") as opened:
        opened.create_group("optimizer/vars")["0"] = array(3)
        opened.create_group("layers/dropout/seed_generator/vars")["0"] = np.uint32([1, 2])
        for kind, name, arrays in LAYERS:
            used[kind] = used.get(kind, -1) + 1
            place = PLACES[kind] + (f"_{used[kind]}" if used[kind] else "")
            group = opened.create_group(f"layers/{place}/vars")
            if named:
                group.attrs["name"] = name
            for number, a in enumerate(arrays):
                group[str(number)] = a


def zipped(file, *, named):
    content = io.BytesIO()
    keras3(content, named=named)
    layers = [{"class_name": kind, "config": {"name": name}} for kind, name, _ in LAYERS]
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}))
        archive.writestr("model.weights.h5", content.getvalue())


WRITERS = {
    "weights.h5": keras2,
    "model.hdf5": lambda file: keras2(file, model=True),
    "new.weights.h5": keras3,
    "new.keras": lambda file: zipped(file, named=True),
    "older.keras": lambda file: zipped(file, named=False),
}


@pytest.mark.parametrize("name", WRITERS)
def test_each_layout_gives_the_same_arrays(name, tmp_path):
    WRITERS[name](tmp_path / name)
    found = files.read(tmp_path / name)
    assert found.keys() == EXPECTED.keys()
    for key, value in EXPECTED.items():
        np.testing.assert_array_equal(found[key], value)


def test_of_a_layer_within_a_layer_the_inner_ones_name_counts(tmp_path):
    with h5py.File(tmp_path / "net.h5", "w") as opened:
        opened.attrs["layer_names"] = ["stem"]
        names = ["stem/conv/kernel", "stem/conv/bias", "stem/ln/gamma", "stem/ln/beta"]
        group = opened.create_group("stem")
        group.attrs["weight_names0"], group.attrs["weight_names1"] = names[:3], names[3:]  # as long lists are
        for name, shape in zip(names, ((3, 3, 1, 2), (2,), (2,), (2,)), strict=True):
            group[name] = np.ones(shape)
    assert list(keras.read(tmp_path / "net.h5")) == ["conv/kernel", "conv/bias", "ln/gamma", "ln/beta"]


def test_bfloat16_and_float16_come_as_they_are_and_are_loaded(tmp_path):
    for dtype in (ml_dtypes.bfloat16, np.float16):
        kernel = np.asarray([1.5, -2, 3, 0.25], dtype).reshape(1, 1, 2, 2)
        with h5py.File(tmp_path / "net.weights.h5", "w") as opened:
            group = opened.create_group("layers/conv2d/vars")
            group.attrs["name"] = "conv"
            group.create_dataset("0", data=kernel)
            if dtype is ml_dtypes.bfloat16:
                group["0"].attrs["dtype"] = "bfloat16"
        assert keras.read(tmp_path / "net.weights.h5")["conv/kernel"].dtype == dtype
        net = chain(conv=Conv(2, 1, use_bias=False))
        params, _ = jaxcnn.load_weights(net, (4, 4, 2), tmp_path / "net.weights.h5")
        np.testing.assert_array_equal(params["conv"]["kernel"], kernel.astype(np.float32))


def test_a_depthwise_kernel_has_the_multiplier_last(tmp_path):
    kernel = array(3, 3, 2, 4)
    keras2(tmp_path / "net.h5", layers=[("DepthwiseConv2D", "depthwise", [kernel])])
    net = chain(depthwise=DepthwiseConv(3, multiplier=4, use_bias=False))
    params, _ = jaxcnn.load_weights(net, (4, 4, 2), tmp_path / "net.h5")
    np.testing.assert_array_equal(params["depthwise"]["kernel"], kernel.reshape(3, 3, 1, 8))


def linked(opened, outside):
    opened["layers/conv2d/vars/0"] = h5py.ExternalLink(str(outside), "layers/conv2d/vars/0")


def linked_softly(opened, outside):
    opened["layers/conv2d/vars/0"] = h5py.SoftLink("/layers/dense/vars/0")


def stored_outside(opened, outside):
    opened.create_dataset("layers/conv2d/vars/0", (2,), np.float32, external=[(str(outside), 0, 8)])


def virtual(opened, outside):
    layout = h5py.VirtualLayout((2,), np.float32)
    layout[:] = h5py.VirtualSource(str(outside), "layers/conv2d/vars/0", (2,))
    opened.create_virtual_dataset("layers/conv2d/vars/0", layout)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (linked, r"layers/conv2d/vars/0 is a link to .*outside\.h5\."),
        (linked_softly, r"layers/conv2d/vars/0 is a link to another place in it\."),
        (stored_outside, r"the numbers of /layers/conv2d/vars/0 are in another file\."),
        (virtual, r"the numbers of /layers/conv2d/vars/0 are in another file\."),
    ],
)
def test_what_would_read_another_file_is_refused(make, said, tmp_path):
    keras3(tmp_path / "outside.h5")
    with h5py.File(tmp_path / "net.h5", "w") as opened:
        make(opened, tmp_path / "outside.h5")
        if "layers/conv2d/vars" in opened:
            opened["layers/conv2d/vars"].attrs["name"] = "conv"
    with pytest.raises(keras.Unsafe, match=rf"net\.h5 is refused: {said}"):
        keras.read(tmp_path / "net.h5")


def test_damaged_and_other_files_are_named(tmp_path):
    file = tmp_path / "net.weights.h5"
    for write in (keras2, keras3, lambda file: zipped(file, named=True)):
        write(file)
        content = file.read_bytes()
        for end in range(0, len(content), max(1, len(content) // 40)):
            file.write_bytes(content[:end])
            with pytest.raises(
                ValueError, match=r"net\.weights\.h5 (is damaged, or no file of Keras's|holds no layers)"
            ):
                keras.read(file)
    keras3(file, named=False)
    with pytest.raises(
        ValueError, match=r"it lacks the name of layers/\w+, as older versions of Keras do; save it as \."
    ):
        keras.read(file)
    keras2(file, layers=[])
    with pytest.raises(ValueError, match=r"net\.weights\.h5 holds no layers with weights"):
        keras.read(file)
    with h5py.File(file, "w") as opened:
        opened.create_dataset("layers/dense/vars/0", (10**12,), np.float32, chunks=(10**6,), compression="gzip")
        opened["layers/dense/vars"].attrs["name"] = "dense"
    with pytest.raises(
        ValueError, match=r"/layers/dense/vars/0 is compressed, which Keras's own never are, or was not w"
    ):
        keras.read(file)


def test_without_h5py_it_is_named(tmp_path, monkeypatch):
    keras2(tmp_path / "net.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ValueError, match=r'net\.h5 is Keras\'s, which h5py reads: pip install "jaxcnn\[keras\]"\.'):
        keras.read(tmp_path / "net.h5")


def written(file, name, rename=lambda layer: layer, **more):
    """Keras 2's file of a random network, whose layers have other names."""
    network, params, state = random(name)
    table = table_of("Keras", name)
    layers = {}
    for key, a in save(network, params, state, table).items():
        layers.setdefault(key.rpartition("/")[0], {})[key.rpartition("/")[2]] = a
    modules = table.modules(list(dict.fromkeys("/".join(e.path[:-1]) for e in entries(network, params, state))))
    order = [modules[path] for path in table.in_order(modules)]
    names = ("kernel", "gamma", "bias", "beta", "moving_mean", "moving_variance")
    sorted_layers = [(layer, [layers[layer][n] for n in names if n in layers[layer]]) for layer in order]
    keras2(file, layers=[("", rename(layer), arrays) for layer, arrays in [*more.items(), *sorted_layers]])
    return params, state


def test_layers_of_other_names_are_taken_in_their_order_as_keras_does(tmp_path):
    """In ResNet-50 the first shortcut has the shape of the layer beside it."""
    params, state = written(tmp_path / "net.h5", "keras_resnet50", lambda layer: f"old_{layer}")
    found = jaxcnn.load_pretrained("keras_resnet50", tmp_path / "net.h5")
    assert found.library == "Keras"
    jax.tree.map(np.testing.assert_array_equal, (found.params, found.state), (params, state))


IMAGENET = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


@pytest.mark.parametrize(
    ("mean", "variance", "expected"),
    [(*IMAGENET, IMAGENET), ([0.1, 0.2, 0.3], [0.04, 0.09, 0.16], ([0.1, 0.2, 0.3], [0.2, 0.3, 0.4]))],
)
def test_pixels_are_normalised_as_the_file_says(mean, variance, expected, tmp_path):
    written(
        tmp_path / "net.h5", "tf_efficientnet_b0", normalization_1=[np.float32(mean), np.float32(variance), np.int64(0)]
    )
    found = jaxcnn.load_pretrained("tf_efficientnet_b0", tmp_path / "net.h5")
    np.testing.assert_allclose((found.mean, found.std), expected, rtol=1e-6)
