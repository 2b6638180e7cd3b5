"""`jaxcnn train`: train a network, and say what came out."""

import contextlib
import dataclasses
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jaxcnn.train.interrupt import on_interrupt
from jaxcnn.train.recipe import TrainConfig

if TYPE_CHECKING:
    from jaxcnn.train.gradients import GradientCheck
    from jaxcnn.train.run import Result


@dataclass(frozen=True)
class TrainOptions(TrainConfig):
    """Train an image classifier and keep everything about it in a run folder.
    $ jaxcnn train --data digits --model lenet5
    $ jaxcnn train --data digits --lr 0.01,0.003 --seeds 3

    Options with several values are a grid: each combination is trained.
    (Where a value has commas itself, repeat the option.)
    """

    seeds: int = 1
    """Train from so many seeds: seed, seed + 1, and so on, each with a run folder of its own below the run folder."""
    together: Literal["auto", "yes", "no"] = "auto"
    """Seeds as one program, by vmap. auto: where a step is so small that this is faster."""

    # As typed: filled in and checked by `config`, so that tyro, which boxes errors, only parses.

    dry_run: bool = False
    """Show the plan (data, network, memory, steps and their time, by a few of them) and write nothing."""

    def __post_init__(self) -> None:
        pass

    def config(self) -> TrainConfig:
        """Raises ValueError for a value that makes no sense."""
        return TrainConfig(**{field.name: getattr(self, field.name) for field in dataclasses.fields(TrainConfig)})


def run(options: TrainOptions) -> int:
    """Train; returns 0, 1 if the handwritten gradients are wrong, or 128 and the number of the signal that came."""
    config = options.config()
    with on_interrupt(begun=False) as interrupt:
        from jaxcnn.train import hosts

        placement = hosts.place(config)
        if options.dry_run:
            from jaxcnn.cli import plan

            with contextlib.nullcontext() if hosts.first() else contextlib.redirect_stdout(io.StringIO()):
                return plan.show(config, placement)
        from jaxcnn.cli.console import Console
        from jaxcnn.cli.watchers import watchers
        from jaxcnn.report.run import draw, write_page
        from jaxcnn.train.loop import train

        if not hosts.first():  # it only computes
            warnings.simplefilter("ignore")
            train(config)
            hosts.end()
            return interrupt.exit_code
        say = Console(soft_wrap=True).print
        with watchers(config) as heard:
            result = train(config, *heard)
        hosts.end()
        if result.evaluation is not None:
            draw(result)
        if result.evaluation is None:
            say(f"stopped after step {int(result.state.step)}; go on with: {config.command()} --resume")
            say(f"run folder {result.run.path}")
            return interrupt.exit_code
        found, page = None, None
        if interrupt.requested:
            folder = result.run.path
            say(f"stopped before the gradient check; make it with: jaxcnn check {folder}")
            say(f"stopped before the page; make it with: jaxcnn report {folder}")
        else:
            found = check(result, say)
            page = write_page(result, found)
        say(f"test accuracy {result.evaluation.accuracy:.4f}")
        say(f"run folder {result.run.path}")
        if page is not None:
            say(f"page {page}")
        if interrupt.requested:
            return interrupt.exit_code
        return 0 if found is None or found.agrees else 1


def check(result: "Result", say: Callable[[str], None]) -> "GradientCheck | None":
    """Hold the trained network's handwritten gradients against JAX's on its hardest images.

    Those of a large network only on demand: None.
    """
    from jaxcnn.train.gradients import check_on_hardest, is_large

    assert result.evaluation is not None
    experiment = result.experiment
    if is_large(experiment.model, experiment.dataset.image_shape):
        say(f"gradients are not checked, for which this network is large; do it with: jaxcnn check {result.run.path}")
        return None
    found = check_on_hardest(experiment, result.state, result.evaluation)
    say(str(found))
    return found


def in_options(message: str, options: type = TrainConfig) -> str:
    """A library's message in the command line's words: --image-size 64 for image_size=64, --epochs is for epochs is."""
    names = [field.name for field in dataclasses.fields(options)]
    subject = rf"(?:^|(?<=[;:] ))({'|'.join(names)})()(?= (?:is|was) )"  # names that are words, only as a subject
    setting = rf"(?<![\w/.-])({'|'.join(names)})=(\w*)"
    no_words = [name for name in names if "_" in name] or ["(?!)"]
    unlike_a_word = rf"(?<![\w/.-])({'|'.join(no_words)})()(?![\w/=-])"

    def option(match: re.Match[str]) -> str:
        value = "" if match[2] in ("", "True") else f" {match[2]}"
        return "--" + match[1].replace("_", "-") + value

    for pattern in (subject, setting, unlike_a_word):
        message = re.sub(pattern, option, message)
    return message
