"""ResNet, ResNeXt, Wide-ResNet; and the FCN head on it."""

from jaxcnn.interop.names import Paths, Row, Table, named


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


TABLES = {"torchvision and timm": Table(torchvision), "Hugging Face": Table(hugging_face)}
FCN_TABLES = {"torchvision": Table(fcn, spare=r"aux_classifier\..*")}
