"""Where a run is kept, and how it begins and ends."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from jaxcnn.train.figures import BETTER
from jaxcnn.train.recipe.option import Recipe, in_seconds, unset


@dataclass(frozen=True)
class RunRecipe(Recipe):
    """The run folder, and when to save and to stop."""

    max_time: Annotated[str | None, unset("TIME", "all epochs, however long")] = None
    """Stop and save after so much time, such as 8h, 90m or 45s; --resume goes on."""
    patience: Annotated[int | None, unset("EPOCHS", "all epochs")] = None
    """Stop after so many epochs that were no better, by best_by, than the best before."""
    best_by: str = "eval_accuracy"
    """The figure in metrics.jsonl that the best epoch is chosen by, such as eval_loss, the lowest of which is best."""
    save_every: Annotated[str | None, unset("TIME", "after each epoch")] = None
    """Save within epochs, too, whenever so much time has passed, such as 10m."""
    keep: int = 2
    """How many of the last checkpoints stay; where one is damaged, the one before it is taken."""
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
        self.need("best_by", self.best_by in BETTER, f"expected one of {', '.join(BETTER)}")
        for name in ("max_time", "save_every"):
            self.need(name, self.seconds(name) > 0, "expected a time such as 8h, 90m or 45s")
        self.need("keep", self.keep >= 1, "expected 1 checkpoint or more")
        if self.overwrite and self.resume:
            raise ValueError("overwrite=True and resume=True exclude each other; start again, or go on.")

    def seconds(self, name: Literal["max_time", "save_every"]) -> float:
        """The option in seconds: of 8h, 90m, 45s or a number of seconds. Infinite without one, 0 where it is wrong."""
        time = getattr(self, name)
        return math.inf if time is None else in_seconds(time)
