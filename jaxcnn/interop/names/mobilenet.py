"""MobileNet V2 and V3, and the EfficientNets, whose blocks are the same."""

from collections.abc import Callable
from typing import Any

from jaxcnn.interop.convert import KERAS
from jaxcnn.interop.names import Paths, Row, Table

STAGES_V3 = {11: (1, 2, 3, 2, 3), 15: (1, 2, 3, 4, 2, 3)}  # timm's, by the number of blocks
TIMM_IR = {
    "expand": "conv_pw",
    "bn1": "bn1",
    "depthwise": "conv_dw",
    "bn2": "bn2",
    "se/gate/reduce": "se.conv_reduce",
    "se/gate/expand": "se.conv_expand",
    "project": "conv_pwl",
    "bn3": "bn3",
}
KERAS_V2 = {
    "expand": "expand",
    "bn1": "expand_BN",
    "depthwise": "depthwise",
    "bn2": "depthwise_BN",
    "project": "project",
    "bn3": "project_BN",
}
KERAS_V3 = {layer: name.lower() for layer, name in KERAS_V2.items()} | {
    "se/gate/reduce": "squeeze_excite_conv",
    "se/gate/expand": "squeeze_excite_conv_1",
}
TIMM_DS = TIMM_IR | {"bn2": "bn1", "project": "conv_pw", "bn3": "bn2"}  # of blocks that don't expand
BLOCK = r"(block[\d_]+)/body/(.+)"


def blocks(paths: Paths) -> list[str]:
    """The blocks, in their order."""
    return list(dict.fromkeys(path.split("/")[0] for path in paths if path.startswith("block")))


def within(paths: Paths, conv: str, *, joined: bool) -> Callable[[str, str], str]:
    """torchvision's place of a layer in its block: convolution and norm in pairs, from 0, and squeeze-and-excitation.

    `conv` is what comes before the place; in MobileNet V2 the last pair is not `joined`, but two places.
    """

    def place(block: str, layer: str) -> str:
        expands, excites = (f"{block}/body/{part}" in paths for part in ("expand", "se/gate/reduce"))
        pairs = ["expand"] * expands + ["depthwise"] + ["se"] * excites + ["project"]
        kind = {"bn1": "expand", "bn2": "depthwise", "bn3": "project"}.get(layer, layer.split("/")[0])
        number = pairs.index(kind)
        if kind == "se":
            return f"{conv}.{number}.fc{1 if layer.endswith('reduce') else 2}"
        if kind == "project" and not joined:
            return f"{conv}.{number + layer.startswith('bn')}"
        return f"{conv}.{number}.{int(layer.startswith('bn'))}"

    return place


def _torchvision(paths: Paths, conv: str, *, joined: bool, heads: list[Row]) -> list[Row]:
    order, place = blocks(paths), within(paths, conv, joined=joined)
    last = len(order) + 1
    return [
        ("conv", "features.0.0"),
        ("bn", "features.0.1"),
        (BLOCK, lambda block, layer: f"features.{order.index(block) + 1}.{place(block, layer)}"),
        ("conv_last", f"features.{last}.0"),
        ("bn_last", f"features.{last}.1"),
        *heads,
    ]


def torchvision_v2(paths: Paths) -> list[Row]:
    """torchvision's names of MobileNet V2."""
    return _torchvision(paths, "conv", joined=False, heads=[("head", "classifier.1")])


def torchvision_v3(paths: Paths) -> list[Row]:
    """torchvision's names of MobileNet V3."""
    return _torchvision(paths, "block", joined=True, heads=[("hidden", "classifier.0"), ("head", "classifier.3")])


def timm(paths: Paths) -> list[Row]:
    """Of MobileNet V2 and of the EfficientNets, whose blocks tell the stage and the place in it, from 1."""
    return [
        *_timm(paths, lambda name: tuple(int(n) - 1 for n in name.split("_"))),
        ("conv_last", "conv_head"),
        ("bn_last", "bn2"),
        ("head", "classifier"),
    ]


def timm_v3(paths: Paths) -> list[Row]:
    """The last convolution is a stage of its own."""
    stages = STAGES_V3[len(blocks(paths))]
    places = [(stage, n) for stage, count in enumerate(stages) for n in range(count)]
    return [
        *_timm(paths, lambda number: places[int(number) - 1]),
        ("conv_last", f"blocks.{len(stages)}.0.conv"),
        ("bn_last", f"blocks.{len(stages)}.0.bn1"),
        ("hidden", "conv_head"),
        ("head", "classifier"),
    ]


def _timm(paths: Paths, place: Callable[[str], tuple[int, ...]]) -> list[Row]:
    """The stem and the blocks, of which `place` says the stage and the place in it by their number."""

    def block(name: str, layer: str) -> str:
        names = TIMM_IR if f"{name}/body/expand" in paths else TIMM_DS
        stage, n = place(name.removeprefix("block"))
        return f"blocks.{stage}.{n}.{names[layer]}"

    return [("conv", "conv_stem"), ("bn", "bn1"), (BLOCK, block)]


def keras_v2(paths: Paths) -> list[Row]:
    """Keras's names of MobileNet V2."""
    order = blocks(paths)

    def block(name: str, layer: str) -> str:
        prefix = f"block_{order.index(name)}" if order.index(name) else "expanded_conv"
        return f"{prefix}_{KERAS_V2[layer]}"

    return [
        ("conv", "Conv1"),
        ("bn", "bn_Conv1"),
        (BLOCK, block),
        ("conv_last", "Conv_1"),
        ("bn_last", "Conv_1_bn"),
        ("head", "predictions"),
    ]


def keras_v3(paths: Paths) -> list[Row]:
    """Keras's names of MobileNet V3."""
    order = blocks(paths)

    def block(name: str, layer: str) -> str:
        number = order.index(name)
        return f"expanded_conv{f'_{number}' if number else ''}_{KERAS_V3[layer]}"

    return [
        ("conv", "conv"),
        ("bn", "conv_bn"),
        (BLOCK, block),
        ("conv_last", "conv_1"),
        ("bn_last", "conv_1_bn"),
        ("hidden", "conv_2"),
        ("head", "logits"),
    ]


def hugging_face_v2(paths: Paths) -> list[Row]:
    """Hugging Face's names of MobileNet V2: the first block is a part of the stem."""
    order = blocks(paths)
    stem = {"depthwise": "conv_3x3", "project": "reduce_1x1"}
    later = {"expand": "expand_1x1", "depthwise": "conv_3x3", "project": "reduce_1x1"}
    kinds = {"bn1": "expand", "bn2": "depthwise", "bn3": "project"}

    def block(name: str, layer: str) -> str:
        number, conv = order.index(name), kinds.get(layer, layer)
        module = f"layer.{number - 1}.{later[conv]}" if number else f"conv_stem.{stem[conv]}"
        return f"mobilenet_v2.{module}.{'normalization' if layer in kinds else 'convolution'}"

    return [
        ("conv", "mobilenet_v2.conv_stem.first_conv.convolution"),
        ("bn", "mobilenet_v2.conv_stem.first_conv.normalization"),
        (BLOCK, block),
        ("conv_last", "mobilenet_v2.conv_1x1.convolution"),
        ("bn_last", "mobilenet_v2.conv_1x1.normalization"),
        ("head", "classifier"),
    ]


V2_TABLES = {"torchvision": Table(torchvision_v2), "timm": Table(timm, resample="bicubic")}
EXCITE = ((r".*/se/gate/\w+/kernel", 4),)
V3_TABLES = {"torchvision": Table(torchvision_v3, axes=EXCITE)}
# Of networks of their own, since batch norm's epsilon is another than torchvision's.
TIMM_V3_TABLES = {"timm": Table(timm_v3, axes=(*EXCITE, ("hidden/kernel", 4)), resample="bicubic")}
ONES: Any = {"mean": (0.5,) * 3, "std": (0.5,) * 3}  # pixels from -1 to 1
TF_V2_TABLES = {
    "Keras": Table(keras_v2, convention=KERAS, in_order=list, **ONES),
    "Hugging Face": Table(hugging_face_v2, **ONES),
}
HEADS = (("(hidden|head)/kernel", 4),)
TF_V3_TABLES = {
    "Keras": Table(keras_v3, convention=KERAS, axes=(*EXCITE, *HEADS), in_order=list, **ONES),
    "timm": Table(timm_v3, axes=(*EXCITE, ("hidden/kernel", 4)), **ONES),
}
