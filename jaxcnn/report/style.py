"""The look that all pictures share."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and orange of Okabe & Ito 2008, which colour-blind readers can tell apart; red for mistakes.
FIRST, SECOND, WRONG = "#0072B2", "#D55E00", "#C1121F"
INK, QUIET, GRID = "#222222", "#6B6B6B", "#E4E4E4"
# For text with users' words in it: a class called "$5 to $10" is no mathematics, and "50%_off" no TeX.
PLAIN: dict[str, Any] = {"parse_math": False, "usetex": False}
LEGEND: dict[str, Any] = {"fontsize": 9, "frameon": False, "labelcolor": INK}


def figure(width: float, height: float, title: str, layout: Literal["constrained"] | None = "constrained") -> "Figure":
    """A white figure of width × height inches with its title at the upper left; no global pyplot state."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=150, layout=layout, facecolor="white")
    made.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK, **PLAIN)
    return made


def tidy(axes: "Axes", xlabel: str, ylabel: str, **grid: Any) -> None:
    """Labels, a light grid behind the data, and only the two spines that carry ticks."""
    axes.set_xlabel(xlabel, color=QUIET)
    axes.set_ylabel(ylabel, color=QUIET)
    axes.tick_params(which="both", color=GRID, labelcolor=QUIET, labelsize=9)
    axes.grid(True, color=GRID, linewidth=0.8, **grid)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GRID)


SOFTWARE = "jaxcnn"  # that made a PNG, as the PNG says under "Software"


def save(figure: "Figure", path: Path) -> None:
    """Write a PNG; a `Figure` of its own draws without a display. Warns once of the characters that the font lacks."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(path, format="png", metadata={"Software": SOFTWARE})
    lacking = [re.match(r"Glyph (\d+) ", str(warning.message)) for warning in caught]
    for warning, glyph in zip(caught, lacking, strict=True):
        if not glyph:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if boxes := dict.fromkeys(chr(int(glyph[1])) for glyph in lacking if glyph):
        warnings.warn(f"{path} has boxes for characters that its font lacks: {' '.join(boxes)}", stacklevel=2)


@contextmanager
def or_warn(path: Path) -> Iterator[None]:
    """A picture that can't be drawn inside ends in a warning, and not what it is a picture of."""
    try:
        yield
    except Exception as error:  # whatever matplotlib raises, or the disk
        warnings.warn(f"{path} could not be drawn ({type(error).__name__}: {error}); all else is done.", stacklevel=3)
