"""δ and the gradient at each layer over training: where do they vanish, and where do they explode?"""

import base64
import io
import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from jaxcnn.report import style
from jaxcnn.report.page.numbers import number
from jaxcnn.report.page.section import Section
from jaxcnn.train.watch import LayerNorms

MOST_MOMENTS = 120  # columns of a picture
LARGE = 10.0  # a factor from one end of the network to the other that is worth a word
STEEP = 3.0  # from a layer to its neighbour
NONE = (
    "metrics.jsonl tells no norms of this run's layers. They are measured after each epoch where the network is small, "
    "and of a large one with --layer-norms yes; earlier versions did not measure them."
)
COLORS = "cividis"  # of matplotlib's: even in lightness, and the same to the colour-blind


@dataclass(frozen=True)
class HeatMap:
    """Norms as colours on a log scale, a row for each layer and a column for each moment.

    Attributes:
      name: "delta" or "gradient".
      values: (layers, moments), NaN where there is none.
      picture: a PNG of a pixel for each, as a data: address.
      low, high: the ends of the scale of colours.
    """

    name: str
    values: np.ndarray
    picture: str = field(repr=False)
    low: float
    high: float


@dataclass(frozen=True)
class Norms:
    """Norms of all layers, first layer first, before the first step and after epochs.

    `sentences` say how δ and the gradient change along the network.
    """

    paths: list[str]
    steps: list[int]
    epochs: list[float]
    maps: list[HeatMap]
    sentences: list[str]

    @property
    def data(self) -> dict[str, Any]:
        """The numbers, for the page's script."""
        maps = {one.name: [[_rounded(value) for value in row] for row in one.values] for one in self.maps}
        return {"paths": self.paths, "steps": self.steps, "epochs": self.epochs, "maps": maps}

    def label(self, index: int) -> bool:
        """Whether the row has room for its path beside it."""
        return index % math.ceil(len(self.paths) / 40) == 0


def layers(records: Sequence[LayerNorms], per_epoch: float) -> Section:
    """The section of the lines of kind "layers" in metrics.jsonl, or why there are none."""
    found = norms(records, per_epoch) if records else None
    return Section("layers", "δ and gradients by layer", found, "" if found else NONE)


def norms(records: Sequence[LayerNorms], per_epoch: float) -> Norms:
    """Of one or more lines."""
    chosen = sorted(set(np.linspace(0, len(records) - 1, min(len(records), MOST_MOMENTS)).round().astype(int).tolist()))
    moments = [records[i] for i in chosen]
    paths = list(moments[-1]["delta"])
    values = {
        name: np.array([[moment[name].get(path, math.nan) for moment in moments] for path in paths], float)
        for name in ("delta", "gradient")
    }
    steps = [moment["step"] for moment in moments]
    sentences = [
        sentence
        for name, word in (("delta", "δ"), ("gradient", "the gradient"))
        for sentence in _along(word, paths, values[name], steps)
    ]
    maps = [_heat_map(name, of) for name, of in values.items() if np.isfinite(of).any()]
    return Norms(paths, steps, [round(step / per_epoch, 3) for step in steps], maps, sentences)


def along(word: str, paths: Sequence[str], values: np.ndarray) -> str:
    """How the norms (layers,) change from the last layer to the first, in words; `word` is what they are norms of."""
    there = [i for i, value in enumerate(values) if math.isfinite(value)]
    if zeros := [paths[i] for i in there if values[i] == 0]:
        return f"{word} is 0 at {_some(zeros)}"
    first, last = there[0], there[-1]
    ratio = float(values[last] / values[first])
    if 1 / LARGE < ratio < LARGE:
        return _between(word, {paths[i]: float(values[i]) for i in there})
    shrinks = ratio > 1
    # Between neighbours, on the way back.
    steps = [(float(values[b] / values[a]), paths[b], paths[a]) for a, b in itertools.pairwise(there)]
    factor, above, below = max(steps) if shrinks else min(steps)
    steep = max(factor, 1 / factor)
    most_of_all = (
        f", most of all from {above} to {below} ({_factor(steep)})" if steep > STEEP and len(steps) > 1 else ""
    )
    return (
        f"{word} {'shrinks' if shrinks else 'grows'} by a factor of {_factor(max(ratio, 1 / ratio))} from the last "
        f"layer, {paths[last]}, to the first, {paths[first]}{most_of_all}"
    )


def _between(word: str, norms: dict[str, float]) -> str:
    """Of norms that are alike at both ends."""
    least, most = min(norms, key=norms.__getitem__), max(norms, key=norms.__getitem__)
    if norms[most] < LARGE * norms[least]:
        return f"{word} is of a like size at all layers, from {number(norms[least])} to {number(norms[most])}"
    by = f"by a factor of {_factor(norms[most] / norms[least])}"
    return f"{word} is alike at the first layer and the last, but smaller {by} at {least} than at {most}"


def _along(word: str, paths: Sequence[str], values: np.ndarray, steps: Sequence[int]) -> list[str]:
    """At the first moment and at the last."""
    said = []
    for column in dict.fromkeys((0, len(steps) - 1)):
        if np.isfinite(values[:, column]).any():
            when = "Before the first step" if steps[column] == 0 else f"After step {steps[column]:,}"
            said.append(f"{when} {along(word, paths, values[:, column])}.")
    return said


def _heat_map(name: str, values: np.ndarray) -> HeatMap:
    from matplotlib import colormaps
    from matplotlib.colors import to_rgb

    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.log(values / low) / (math.log(high / low) or 1.0)
    pixels = np.array(colormaps[COLORS](np.clip(np.nan_to_num(share), 0, 1), bytes=True))
    pixels[values == 0] = [*(round(255 * c) for c in to_rgb(style.WRONG)), 255]
    pixels[~np.isfinite(values)] = 0
    return HeatMap(name, values, _png(pixels), low, high)


def _png(pixels: np.ndarray) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _factor(ratio: float) -> str:
    return number(float(f"{ratio:.2g}"))


def _some(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _rounded(value: float) -> float | None:
    return float(f"{value:.4g}") if math.isfinite(value) else None
