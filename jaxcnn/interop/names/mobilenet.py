"""MobileNet V2 and V3, and the EfficientNets, whose blocks are the same."""

from collections.abc import Callable

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


V2_TABLES = {"torchvision": Table(torchvision_v2), "timm": Table(timm)}
EXCITE = ((r".*/se/gate/\w+/kernel", 4),)
V3_TABLES = {"torchvision": Table(torchvision_v3, axes=EXCITE)}
# Of networks of their own, since batch norm's epsilon is another than torchvision's.
TIMM_V3_TABLES = {"timm": Table(timm_v3, axes=(*EXCITE, ("hidden/kernel", 4)))}
