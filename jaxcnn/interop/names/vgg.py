"""VGG, with and without batch norm."""

from jaxcnn.interop.convert import KERAS
from jaxcnn.interop.names import CAFFE, Paths, Row, Table

PLACES = {1: 0, 2: 3, 3: 6}  # of the dense layers among torchvision's, with relu and dropout between them


def _features(paths: Paths) -> list[Row]:
    """torchvision numbers convolutions, norms, activations and pooling in one row."""
    blocks = [path.removeprefix("conv").split("_") for path in paths if path.startswith("conv")]
    norm = any(path.startswith("bn") for path in paths)
    places, place = {}, 0
    for (block, conv), (next_block, _) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        places[f"{block}_{conv}"] = place
        place += (3 if norm else 2) + (block != next_block)
    return [
        (r"conv(\w+)", lambda name: f"features.{places[name]}"),
        (r"bn(\w+)", lambda name: f"features.{places[name] + 1}"),
    ]


def torchvision(paths: Paths) -> list[Row]:
    """torchvision's names."""
    return [
        *_features(paths),
        (r"dense(\d)", lambda n: f"classifier.{PLACES[n]}"),
        ("head", "classifier.6"),
    ]


def timm(paths: Paths) -> list[Row]:
    """timm's names: its dense layers are convolutions."""
    return [*_features(paths), (r"dense(\d)", lambda n: f"pre_logits.fc{n}"), ("head", "head.fc")]


def keras(paths: Paths) -> list[Row]:
    """Keras's names, of networks without batch norm."""
    return [
        (r"conv(\d)_(\d)", lambda block, n: f"block{block}_conv{n}"),
        (r"dense(\d)", lambda n: f"fc{n}"),
        ("head", "predictions"),
    ]


NORM_TABLES = {
    "torchvision": Table(torchvision, flat=("dense1", 7, 7)),
    "timm": Table(timm, axes=((r"dense\d/kernel", 4),), flat=("dense1", 7, 7)),
}
TABLES = NORM_TABLES | {"Keras": Table(keras, convention=KERAS, bgr="conv1_1", in_order=list, **CAFFE)}
