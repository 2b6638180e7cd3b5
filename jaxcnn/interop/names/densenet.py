"""DenseNet."""

from jaxcnn.interop.convert import KERAS
from jaxcnn.interop.names import Paths, Row, Table

KINDS = {"bn": "norm", "conv": "conv"}


def torchvision(paths: Paths) -> list[Row]:
    """torchvision's names."""
    return [
        ("conv", "features.conv0"),
        ("bn", "features.norm0"),
        (
            r"layer(\d)_(\d+)/new/(bn|conv)(\d)",
            lambda block, n, kind, place: f"features.denseblock{block}.denselayer{n}.{KINDS[kind]}{place}",
        ),
        (r"transition(\d)/(bn|conv)", lambda block, kind: f"features.transition{block}.{KINDS[kind]}"),
        ("bn_last", "features.norm5"),
        ("head", "classifier"),
    ]


def keras(paths: Paths) -> list[Row]:
    """Keras's names."""
    places = {"bn1": "0_bn", "conv1": "1_conv", "bn2": "1_bn", "conv2": "2_conv"}
    return [
        (r"(conv|bn)", lambda kind: f"conv1_{kind}"),
        (r"layer(\d)_(\d+)/new/(\w+)", lambda block, n, layer: f"conv{block + 1}_block{n}_{places[layer]}"),
        (r"transition(\d)/(bn|conv)", lambda block, kind: f"pool{block + 1}_{kind}"),
        ("bn_last", "bn"),
        ("head", "predictions"),
    ]


KERAS_TABLES = {"Keras": Table(keras, convention=KERAS, in_order=list)}
# torchvision's own files are older than its names.
TABLES = {"torchvision and timm": Table(torchvision, renamed=((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2"),))}
