"""The look that all pictures share."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Blue and orange of Okabe & Ito 2008, which colour-blind readers can tell apart; red for mistakes.
FIRST, SECOND, WRONG = "#0072B2", "#D55E00", "#C1121F"
INK, QUIET, GRID = "#222222", "#6B6B6B", "#E4E4E4"
LEGEND: dict[str, Any] = {"fontsize": 9, "frameon": False, "labelcolor": INK}


def figure(width: float, height: float, title: str, layout: Literal["constrained"] | None = "constrained") -> "Figure":
    """A white figure of width × height inches with its title at the upper left; no global pyplot state."""
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=150, layout=layout, facecolor="white")
    made.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold", color=INK)
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


def save(figure: "Figure", path: Path) -> None:
    """Write a PNG; a `Figure` of its own draws without a display."""
    figure.savefig(path, format="png")
