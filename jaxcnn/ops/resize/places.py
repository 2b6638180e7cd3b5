"""Where the outputs of a resized image lie in the image that was given: sizes, a scale, and three conventions."""

import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np

from jaxcnn.ops.bins import Positions
from jaxcnn.ops.check import is_number
from jaxcnn.ops.geometry import PerAxis, known, per_axis, wrong

Coordinates = Literal["half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "asymmetric", "align_corners"]
COORDINATES = get_args(Coordinates)
Scale = float | Sequence[float]
Scales = tuple[float | None, ...]  # one for each axis; None where it is O / W


def places(length: int, size: int, scale: float | None, coordinates: Coordinates) -> tuple[Positions, Positions]:
    """The position below each of O = `size` outputs over W = `length` positions, and how far on the way to the next.

    With s the scale, O / W unless given, output i lies at

    * "half_pixel": (i + 1/2) / s - 1/2. Pixels are squares, and the borders of the two images coincide.
    * "half_pixel_symmetric": the same, moved by (W - O / s) / 2. The images' centres coincide, even where O is not s W.
    * "pytorch_half_pixel": as "half_pixel", but a single output lies at 0.
    * "asymmetric": i / s. The first pixels coincide.
    * "align_corners": i (W - 1) / (s W - 1). The centres of the corner pixels coincide, where O is s W.

    Some lie beyond the image's first or last pixel. Without a scale all is in whole numbers, so that no rounding moves
    an output past a pixel.
    """
    i = np.arange(size)
    if coordinates == "pytorch_half_pixel":
        coordinates = "half_pixel" if size > 1 else "asymmetric"
    if scale is not None:
        at: Positions
        if coordinates == "align_corners":
            at = i * (length - 1) / max(length * scale - 1, 1)  # less only where i is 0
        elif coordinates == "asymmetric":
            at = i / scale
        else:
            at = (i + 0.5) / scale - 0.5
        if coordinates == "half_pixel_symmetric":
            at = at + (length - size / scale) / 2
        low = np.floor(at).astype(int)
        return low, at - low
    if coordinates == "align_corners":
        over, under = i * (length - 1), max(size - 1, 1)
    elif coordinates == "asymmetric":
        over, under = i * length, size
    else:
        over, under = (2 * i + 1) * length - size, 2 * size
    return over // under, over % under / under


def new_sizes(
    op: str, lengths: Sequence[int], sizes: PerAxis | None, scale: Scale | None
) -> tuple[tuple[int, ...], Scales]:
    """The output's sizes O and the scale along each axis, from one of the two; ValueError otherwise."""
    axes = len(lengths)
    if (sizes is None) == (scale is None):
        raise ValueError(f"{op}: sizes is {sizes!r} and scale is {scale!r}; give one of them, such as scale=2.")
    if sizes is not None:
        return per_axis(op, "sizes", sizes, axes), (None,) * axes
    scales = _scales(op, scale, axes)
    outputs = tuple(math.floor(w * s) for w, s in zip(lengths, scales, strict=True))
    if min(outputs) < 1:
        raise ValueError(
            f"{op}: scale is {scale!r}, which leaves nothing of sizes {tuple(lengths)}; take a larger one."
        )
    return outputs, scales


def _scales(op: str, scale: Any, axes: int) -> tuple[float, ...]:
    numbers = known(scale)
    given = tuple(numbers) if isinstance(numbers, Sequence) and not isinstance(numbers, str) else (numbers,) * axes
    if len(given) != axes or not all(is_number(s) and 0 < s < math.inf for s in given):
        raise wrong(op, "scale", scale, f"a positive number for all {axes} spatial axes, or one for each")
    return tuple(map(float, given))


def one_of(op: str, argument: str, value: Any, words: Sequence[str]) -> None:
    """ValueError unless `value` is one of the words."""
    if value not in words:
        raise ValueError(f"{op}: {argument} is {value!r}; expected one of {', '.join(map(repr, words))}.")
