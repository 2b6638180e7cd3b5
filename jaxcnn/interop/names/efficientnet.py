"""EfficientNet and EfficientNet-Lite."""

import re
from collections.abc import Mapping

import numpy as np

from jaxcnn.data.pictures import Fit
from jaxcnn.interop.convert import KERAS
from jaxcnn.interop.names import STD, Paths, Pixels, Row, Table
from jaxcnn.interop.names.mobilenet import BLOCK, EXCITE, blocks, timm, within

MELAS = {
    "expand": "_expand_conv",
    "bn1": "_bn0",
    "depthwise": "_depthwise_conv",
    "bn2": "_bn1",
    "se/gate/reduce": "_se_reduce",
    "se/gate/expand": "_se_expand",
    "project": "_project_conv",
    "bn3": "_bn2",
}
HUGGING_FACE = {
    "expand": "expansion.expand_conv",
    "bn1": "expansion.expand_bn",
    "depthwise": "depthwise_conv.depthwise_conv",
    "bn2": "depthwise_conv.depthwise_norm",
    "se/gate/reduce": "squeeze_excite.reduce",
    "se/gate/expand": "squeeze_excite.expand",
    "project": "projection.project_conv",
    "bn3": "projection.project_bn",
}

KERAS_LAYERS = {
    "expand": "expand_conv",
    "bn1": "expand_bn",
    "depthwise": "dwconv",
    "bn2": "bn",
    "se/gate/reduce": "se_reduce",
    "se/gate/expand": "se_expand",
    "project": "project_conv",
    "bn3": "project_bn",
}
NORMALIZATION = r"normalization(_\d+)?/"


def torchvision(paths: Paths) -> list[Row]:
    """torchvision's names."""
    place = within(paths, "block", joined=True)
    return [
        ("conv", "features.0.0"),
        ("bn", "features.0.1"),
        (
            r"block(\d)_(\d+)/body/(.+)",
            lambda s, n, layer: f"features.{s}.{n - 1}.{place(f'block{s}_{n}', layer)}",
        ),
        ("conv_last", "features.8.0"),
        ("bn_last", "features.8.1"),
        ("head", "classifier.1"),
    ]


def melas(paths: Paths) -> list[Row]:
    """Luke Melas-Kyriazi's EfficientNet-PyTorch, and what follows it."""
    order = blocks(paths)
    return [
        ("conv", "_conv_stem"),
        ("bn", "_bn0"),
        (BLOCK, lambda block, layer: f"_blocks.{order.index(block)}.{MELAS[layer]}"),
        ("conv_last", "_conv_head"),
        ("bn_last", "_bn1"),
        ("head", "_fc"),
    ]


def hugging_face(paths: Paths) -> list[Row]:
    """Hugging Face's names."""
    order = blocks(paths)
    return [
        ("conv", "efficientnet.embeddings.convolution"),
        ("bn", "efficientnet.embeddings.batchnorm"),
        (
            BLOCK,
            lambda block, layer: f"efficientnet.encoder.blocks.{order.index(block)}.{HUGGING_FACE[layer]}",
        ),
        ("conv_last", "efficientnet.encoder.top_conv"),
        ("bn_last", "efficientnet.encoder.top_bn"),
        ("head", "classifier"),
    ]


def keras(paths: Paths) -> list[Row]:
    """Keras's names: the blocks of a stage are letters."""
    return [
        ("conv", "stem_conv"),
        ("bn", "stem_bn"),
        (
            r"block(\d)_(\d+)/body/(.+)",
            lambda s, n, layer: f"block{s}{chr(ord('a') + n - 1)}_{KERAS_LAYERS[layer]}",
        ),
        ("conv_last", "top_conv"),
        ("bn_last", "top_bn"),
        ("head", "predictions"),
    ]


def keras_pixels(arrays: Mapping[str, np.ndarray]) -> Pixels | None:
    """What the layer has learned that normalises pixels within the network.

    In the published weights its variance is ImageNet's standard deviation, by whose root Keras divides once more.
    """
    found = {key.rpartition("/")[2]: a.tolist() for key, a in arrays.items() if re.match(NORMALIZATION, key)}
    if found.keys() < {"mean", "variance"}:
        return None
    published = np.allclose(found["variance"], STD)
    return tuple(found["mean"]), STD if published else tuple(np.sqrt(found["variance"]).tolist())


TABLES = {
    "torchvision": Table(
        torchvision,
        axes=EXCITE,
        resample="bicubic",
        fits={
            "efficientnet_b1": Fit(240, 240 / 256, "bicubic"),
            "efficientnet_b2": Fit(288, 1.0, "bicubic"),
            "efficientnet_b3": Fit(300, 300 / 320, "bicubic"),
            "efficientnet_b4": Fit(380, 380 / 384, "bicubic"),
        },
    ),
    "timm": Table(
        timm,
        axes=EXCITE,
        resample="bicubic",
        fits={
            "efficientnet_b2": Fit(256, 0.875, "bicubic"),
            "efficientnet_b3": Fit(288, 0.875, "bicubic"),
            "efficientnet_b4": Fit(320, 0.875, "bicubic"),
        },
    ),
}
TF_TABLES = {
    "timm": TABLES["timm"],
    "EfficientNet-PyTorch": Table(melas, axes=EXCITE, resample="bicubic"),
    "Hugging Face": Table(hugging_face, axes=EXCITE, resample="bicubic"),
    "Keras": Table(
        keras,
        spare=f"{NORMALIZATION}.*",
        convention=KERAS,
        axes=EXCITE,
        in_order=list,
        pixels=keras_pixels,
        resample="bicubic",
    ),
}
# TensorFlow's code takes (pixel - 127) / 128; timm, which has the same weights, (pixel / 255 - 0.5) / 0.5.
LITE_TABLES = {
    "timm": Table(
        timm,
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        resample="bicubic",
        fits={"efficientnet_lite3": Fit(300, 0.904), "efficientnet_lite4": Fit(380, 0.92)},
    ),
    "EfficientNet-PyTorch": Table(melas, mean=(127 / 255,) * 3, std=(128 / 255,) * 3, resample="bicubic"),
}
