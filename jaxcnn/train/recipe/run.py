"""Where a run is kept, and how it begins and ends."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxcnn.train.recipe.option import Recipe, unset


@dataclass(frozen=True)
class RunRecipe(Recipe):
    """The run folder, and when to save and to stop."""

    max_time: Annotated[str | None, unset("TIME", "all epochs, however long")] = None
    """Stop and save after so much time, such as 8h, 90m or 45s; --resume goes on."""
    patience: Annotated[int | None, unset("EPOCHS", "all epochs")] = None
    """Stop after so many epochs without a higher accuracy than the best."""
    out: Annotated[Path | None, unset("PATH", "runs/DATA-MODEL")] = None
    """The run folder."""
    overwrite: bool = False
    """Replace the run that the run folder holds."""
    resume: bool = False
    """Go on from the run folder's last checkpoint; --epochs may be raised, all else must be as it was. A schedule other
    than constant then stretches over all epochs: the rate is not the one that the run stopped at."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.need("patience", self.patience is None or self.patience >= 1, "expected 1 epoch or more")
        self.need("max_time", self.max_time is None or seconds(self.max_time) > 0, "expected a time such as 8h or 90m")
        if self.overwrite and self.resume:
            raise ValueError("overwrite=True and resume=True exclude each other; start again, or go on.")

    @property
    def max_seconds(self) -> float:
        """`max_time` as a number, infinite without one."""
        return math.inf if self.max_time is None else seconds(self.max_time)


def seconds(time: str) -> float:
    """The seconds of "8h", "90m", "45s" or a number of seconds; 0 where it is none of these."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    number, unit = (time[:-1], time[-1]) if time[-1:] in units else (time, "s")
    try:
        return max(float(number) * units[unit], 0.0)
    except ValueError:
        return 0.0
