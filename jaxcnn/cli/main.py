"""The door of the `jaxcnn` command: which subcommand, and what its errors look like."""

import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import tyro

from jaxcnn.cli import check, eval, summary, train
from jaxcnn.train.config import TrainConfig

DESCRIPTION = "Convolutional networks whose backward passes are written by hand and proven."
COMMANDS = (
    Annotated[TrainConfig, tyro.conf.subcommand("train")]
    | Annotated[eval.EvalOptions, tyro.conf.subcommand("eval")]
    | Annotated[summary.SummaryOptions, tyro.conf.subcommand("summary")]
    | Annotated[check.CheckOptions, tyro.conf.subcommand("check")]
)
RUN: dict[type, Callable[[Any], int]] = {
    TrainConfig: train.run,
    eval.EvalOptions: eval.run,
    summary.SummaryOptions: summary.run,
    check.CheckOptions: check.run,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `jaxcnn` with `arguments` (the process's own by default) and exit.

    Exit codes: 0 done; 1 a check failed or training diverged; 2 bad input; 130 stopped by Ctrl-C. An error is one
    line on stderr; with JAXCNN_TRACEBACK=1 in the environment it is Python's traceback instead.
    """
    options: Any = tyro.cli(
        COMMANDS,
        prog="jaxcnn",
        description=DESCRIPTION,
        args=arguments,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    try:
        sys.exit(RUN[type(options)](options))
    except (ValueError, OSError, FloatingPointError) as error:
        if os.environ.get("JAXCNN_TRACEBACK"):
            raise
        _print_error(str(error))
        sys.exit(1 if isinstance(error, FloatingPointError) else 2)
    except KeyboardInterrupt:
        _print_error("stopped.")
        sys.exit(130)


def _print_error(message: str) -> None:
    line = " ".join(f"error: {message}".split())  # one line, whatever the message
    print(f"\033[31m{line}\033[0m" if sys.stderr.isatty() else line, file=sys.stderr)
