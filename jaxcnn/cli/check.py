"""`jaxcnn check`: a trained network's handwritten gradients against those that JAX derives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class CheckOptions:
    """Compare a run's handwritten gradients with jax.grad, layer by layer, in float64."""

    run: tyro.conf.Positional[Path]
    """The run folder; gradients.png is written into it."""
    checkpoint: Literal["last", "best"] = "last"
    """Which of the run's checkpoints."""
    images: int = 8
    """How many test images to take, those that the network finds hardest."""


def run(options: CheckOptions) -> int:
    """Print the table and the verdict, draw gradients.png; returns 0, or 1 if the gradients differ."""
    from jaxcnn.cli.console import Console
    from jaxcnn.report import gradients, style
    from jaxcnn.train.gradients import check_on_hardest
    from jaxcnn.train.restore import restore

    if options.images < 1:
        raise ValueError(f"--images is {options.images}; expected 1 or more.")
    run, experiment, state = restore(options.run, options.checkpoint)
    check = check_on_hardest(experiment, state, experiment.evaluate(state), options.images)
    console = Console(soft_wrap=True)
    console.print_table(gradients.table(check))
    console.print(str(check))
    title = f"{run.config.model} on {run.facts.name}: the size of its gradients, layer by layer"
    with style.or_warn(path := run.path / "gradients.png"):
        gradients.save(check, path, title=title)
        console.print(f"picture {path}")
    return 0 if check.agrees else 1
