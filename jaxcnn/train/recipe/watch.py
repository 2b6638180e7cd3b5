"""What a run tells while it goes on."""

from dataclasses import dataclass
from typing import Annotated, Literal

from jaxcnn.train.recipe.option import Recipe, in_seconds, unset


@dataclass(frozen=True)
class WatchRecipe(Recipe):
    """What is logged, and where it goes; none of it changes what is trained."""

    log_every: int = 50
    """Steps from one line of metrics.jsonl to the next, beside those of the epochs; 0 for none."""
    layer_norms: Literal["auto", "yes", "no"] = "auto"
    """Measure after each epoch how large every layer's δ and gradient are, by 16 images. auto: unless it is large."""
    progress_every: str = "1m"
    """Where the output is no terminal, print a line whenever there has been none for so long, such as 30s or 10m."""
    tensorboard: bool = False
    """Write event files for TensorBoard, too, into the run folder. Needs jaxcnn[tensorboard]."""
    wandb: Annotated[str | None, unset("PROJECT", "not sent")] = None
    """Send what is logged to this project of Weights & Biases, too. Needs jaxcnn[wandb]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.need("log_every", self.log_every >= 0, "expected a number of steps, or 0")
        self.need("progress_every", in_seconds(self.progress_every) > 0, "expected a time such as 30s or 10m")
        self.need("wandb", self.wandb != "", "expected the name of a project")
