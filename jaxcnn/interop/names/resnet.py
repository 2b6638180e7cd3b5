"""ResNet, ResNeXt, Wide-ResNet; and the FCN head on it."""

from jaxcnn.interop.convert import KERAS
from jaxcnn.interop.names import CAFFE, Paths, Row, Table, named


def torchvision(paths: Paths) -> list[Row]:
    """torchvision's names, which are timm's."""
    return [
        ("conv", "conv1"),
        ("bn", "bn1"),
        (r"block(\d)_(\d+)/body/(conv|bn)(\d)", lambda s, b, kind, n: f"layer{s}.{b - 1}.{kind}{n}"),
        (r"block(\d)_(\d+)/shortcut/conv", lambda s, b: f"layer{s}.{b - 1}.downsample.0"),
        (r"block(\d)_(\d+)/shortcut/bn", lambda s, b: f"layer{s}.{b - 1}.downsample.1"),
        ("head", "fc"),
    ]


def hugging_face(paths: Paths) -> list[Row]:
    """Hugging Face's names."""
    kinds = {"conv": "convolution", "bn": "normalization"}

    def layer(stage: int, block: int) -> str:
        return f"resnet.encoder.stages.{stage - 1}.layers.{block - 1}"

    return [
        (r"(conv|bn)", lambda kind: f"resnet.embedder.embedder.{kinds[kind]}"),
        (r"block(\d)_(\d+)/body/(conv|bn)(\d)", lambda s, b, kind, n: f"{layer(s, b)}.layer.{n - 1}.{kinds[kind]}"),
        (r"block(\d)_(\d+)/shortcut/(conv|bn)", lambda s, b, kind: f"{layer(s, b)}.shortcut.{kinds[kind]}"),
        ("head", "classifier.1"),
    ]


def fcn(paths: Paths) -> list[Row]:
    """torchvision's."""
    heads = {"conv": 0, "bn": 1, "score": 4}
    backbone = torchvision(paths)
    return [
        (r"head/(\w+)", lambda kind: f"classifier.{heads[kind]}"),
        (r"(.+)", lambda path: f"backbone.{named(path, backbone)}"),
    ]


def keras(paths: Paths) -> list[Row]:
    """Keras's names."""
    return [
        (r"(conv|bn)", lambda kind: f"conv1_{kind}"),
        (r"block(\d)_(\d+)/body/(conv|bn)(\d)", lambda s, b, kind, n: f"conv{s + 1}_block{b}_{n}_{kind}"),
        (r"block(\d)_(\d+)/shortcut/(conv|bn)", lambda s, b, kind: f"conv{s + 1}_block{b}_0_{kind}"),
        ("head", "predictions"),
    ]


def keras_order(paths: Paths) -> list[str]:
    """A shortcut's layers stand before those of the body that are as far from the end."""
    ordered = list(paths)
    for kind in ("conv", "bn"):
        for path in [path for path in ordered if path.endswith(f"shortcut/{kind}")]:
            ordered.remove(path)
            ordered.insert(ordered.index(path.replace(f"shortcut/{kind}", f"body/{kind}3")), path)
    return ordered


TABLES = {"torchvision and timm": Table(torchvision), "Hugging Face": Table(hugging_face)}
KERAS_TABLES = {"Keras": Table(keras, convention=KERAS, bgr="conv", in_order=keras_order, **CAFFE)}
FCN_TABLES = {"torchvision": Table(fcn, spare=r"aux_classifier\..*")}
