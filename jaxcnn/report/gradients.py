"""How large each layer's gradient and δ are: as a picture and as a table."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxcnn.report import style
from jaxcnn.train.gradients import GradientCheck

if TYPE_CHECKING:
    from rich.table import Table


def save(check: GradientCheck, path: Path, *, title: str) -> None:
    """Draw a bar for each layer's δ, and one for its gradient, on a logarithmic scale into the PNG `path`."""
    from matplotlib.patches import Patch

    norms = [norm for layer in check.layers for norm in (layer.gradient, layer.delta) if norm]
    # A bar on a logarithmic scale has no natural foot: all start at a power of ten below the smallest.
    foot = 10.0 ** np.floor(np.log10(min(norms, default=1.0)) - 0.3)
    figure = style.figure(9, 0.34 * len(check.layers) + 1.6, title)
    axes = figure.subplots()
    for row, layer in enumerate(check.layers):
        bars = [(layer.delta, style.SECOND)]
        if layer.gradient is not None:
            bars.insert(0, (layer.gradient, style.FIRST))
        for i, (norm, color) in enumerate(bars):
            offset = 0.38 * (i - (len(bars) - 1) / 2)
            axes.barh(row + offset, max(norm - foot, 0.0), 0.34, left=foot, color=color)
    axes.set_xscale("log")
    axes.set_xlim(foot, 2 * max(norms, default=1.0))
    axes.set_ylim(len(check.layers) - 0.4, -0.6)  # the first layer on top
    style.tidy(axes, f"Euclidean norm, for the mean loss of {check.images} images", "", axis="x")
    axes.set_yticks(range(len(check.layers)), [layer.path for layer in check.layers], **style.PLAIN)
    axes.tick_params(axis="y", labelcolor=style.INK, length=0)
    keys = [
        Patch(color=style.FIRST, label="gradient of the layer's parameters"),
        Patch(color=style.SECOND, label="δ, the gradient at the layer's output"),
    ]
    figure.legend(handles=keys, loc="outside lower center", ncols=2, **style.LEGEND)
    style.save(figure, path)


def table(check: GradientCheck) -> "Table":
    """The same as a table, with each layer's largest relative difference from `jax.grad`."""
    from rich.table import Table

    made = Table("layer")
    for heading in ("|gradient|", "|δ|", "largest relative difference"):
        made.add_column(heading, justify="right")
    for layer in check.layers:
        made.add_row(
            layer.path,
            "" if layer.gradient is None else f"{layer.gradient:.3e}",
            f"{layer.delta:.3e}",
            "" if layer.difference is None else f"{layer.difference:.1e}",
        )
    return made
