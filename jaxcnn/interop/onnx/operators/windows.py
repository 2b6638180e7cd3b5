"""Windows that slide: their sizes, strides and padding, as convolutions and pooling have them."""

from typing import Any, NamedTuple

from jaxcnn.interop.onnx.axes import Value
from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.reader import Reader


class Windows(NamedTuple):
    """A node's attributes as our layers have them; `strides` and `dilations` are 1 unless given."""

    size: Any
    stride: Any
    padding: Any
    dilation: Any

    @classmethod
    def of(cls, r: Reader, node: Node, x: Value, window: list[int]) -> "Windows":
        """Of a window that slides over x."""
        strides, dilations = (node.options.get(name, [1] * len(window)) for name in ("strides", "dilations"))
        padding = _padding(r, node, x, window, strides, dilations)
        return cls(alike(window), alike(strides), padding, alike(dilations))


def alike(numbers: list[int]) -> Any:
    """One number where all are equal."""
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def pairs(pads: list[int]) -> Any:
    """ONNX's (low, ..., high, ...) as a padding of ours."""
    if not any(pads):
        return "VALID"
    axes = len(pads) // 2
    return pads[0] if len(set(pads)) == 1 else tuple(zip(pads[:axes], pads[axes:], strict=True))


def _padding(r: Reader, node: Node, x: Value, window: list[int], strides: list[int], dilations: list[int]) -> Any:
    """SAME_UPPER is our "SAME": the odd one is at the high end. SAME_LOWER has it at the low end."""
    auto, pads = node.options.get("auto_pad", "NOTSET"), node.options.get("pads", [0] * 2 * len(window))
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER") or len(pads) != 2 * len(window):
        raise node.refused(
            f"has auto_pad {auto!r} and pads {pads}; expected NOTSET, VALID, SAME_UPPER or SAME_LOWER, "
            f"and {2 * len(window)} numbers."
        )
    if auto != "SAME_LOWER":
        return {"SAME_UPPER": "SAME", "VALID": "VALID", "NOTSET": pairs(pads)}[auto]
    if r.open_sizes and max(strides) > 1:
        raise node.refused("pads by SAME_LOWER, which depends on the size of images, and the file leaves that open.")
    totals = [
        max((-(-size // stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
        for size, stride, taps, dilation in zip(x.sizes[1:-1], strides, window, dilations, strict=True)
    ]
    return pairs([total - total // 2 for total in totals] + [total // 2 for total in totals])
