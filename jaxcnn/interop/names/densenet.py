"""DenseNet."""

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


# torchvision's own files are older than its names.
TABLES = {"torchvision and timm": Table(torchvision, renamed=((r"(denselayer\d+\.(?:norm|conv))\.(\d)", r"\1\2"),))}
