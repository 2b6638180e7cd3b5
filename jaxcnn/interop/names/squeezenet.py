"""SqueezeNet 1.1."""

from jaxcnn.interop.names import Paths, Row, Table

PLACES = {2: 3, 3: 4, 4: 6, 5: 7, 6: 9, 7: 10, 8: 11, 9: 12}  # of the fire modules, with pooling between them


def torchvision(paths: Paths) -> list[Row]:
    """torchvision's names."""
    return [
        ("conv", "features.0"),
        (r"fire(\d)/squeeze", lambda n: f"features.{PLACES[n]}.squeeze"),
        (r"fire(\d)/expand/conv(\d)", lambda n, size: f"features.{PLACES[n]}.expand{size}x{size}"),
        ("head/conv", "classifier.1"),
    ]


TABLES = {"torchvision": Table(torchvision)}
