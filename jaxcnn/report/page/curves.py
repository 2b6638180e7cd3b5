"""The curves of a run."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxcnn.report.page.chart import Chart, Line, chart
from jaxcnn.report.page.verdict import PARTS
from jaxcnn.train.watch import Epoch, Steps

MOST_ROWS = 1000  # of the table


def steps_per_epoch(epochs: Sequence[Epoch]) -> float:
    """By the first epoch, as the last may be a part of one."""
    return epochs[0]["step"] / epochs[0]["epoch"]


@dataclass(frozen=True)
class Curves:
    """Charts, and a table: the last of every so many epochs, with the fields that one of them has at least."""

    charts: list[Chart]
    every: int
    epochs: Sequence[Epoch]
    columns: list[str]


def curves(epochs: Sequence[Epoch], steps: Sequence[Steps]) -> Curves:
    """Of all that metrics.jsonl tells over training; of what an earlier version did not write there is none."""
    columns = dict.fromkeys(name for record in epochs for name in record if name != "part")
    every = math.ceil(len(epochs) / MOST_ROWS)
    return Curves(charts(epochs, steps), every, epochs[::-1][::every][::-1], list(columns))


def charts(epochs: Sequence[Epoch], steps: Sequence[Steps]) -> list[Chart]:
    """Loss, accuracy, rate, gradient, speed and waiting."""
    per_epoch = steps_per_epoch(epochs)
    ends = [record["step"] / per_epoch for record in epochs]
    within = [record["step"] / per_epoch for record in steps]
    part = PARTS[epochs[-1]["part"]]

    def of_epochs(field: str, name: str, tone: int = 0) -> Line:
        return Line(name, ends, _values(epochs, field), tone)

    def of_steps(field: str, name: str, faint: bool = False) -> list[Line]:
        return [Line(name, within, _values(steps, field), faint=faint)] if len(steps) > len(epochs) else []

    def finest(field: str, name: str) -> list[Line]:
        return of_steps(field, name) or [of_epochs(field, name)]

    shown = [
        chart(
            "loss",
            "Loss",
            [
                *of_steps("loss", "training, by steps", faint=True),
                of_epochs("train_loss", "training"),
                of_epochs("eval_loss", part, 1),
            ],
            log=True,
            per_epoch=per_epoch,
        ),
        chart(
            "accuracy",
            "Accuracy",
            [
                *of_steps("accuracy", "training, by steps", faint=True),
                of_epochs("train_accuracy", "training"),
                of_epochs("eval_accuracy", part, 1),
            ],
            kind="percent",
            within=(1.0,),
            lowest=_settled(epochs),
            per_epoch=per_epoch,
        ),
        chart("rate", "Learning rate", finest("learning_rate", "rate"), log=True, begin="linear", per_epoch=per_epoch),
        chart("gradient", "Gradient norm", finest("gradient_norm", "norm"), log=True, per_epoch=per_epoch),
        chart(
            "speed", "Images per second", finest("images_per_second", "training"), within=(0.0,), per_epoch=per_epoch
        ),
        chart(
            "waiting",
            "Waiting for images",
            finest("waiting", "share of the time"),
            kind="percent",
            within=(0.0, 0.1),
            per_epoch=per_epoch,
        ),
    ]
    return [one for one in shown if one is not None]


def _values(records: Sequence[Any], field: str) -> list[float | None]:
    return [record.get(field) for record in records]


def _settled(epochs: Sequence[Epoch]) -> float:
    """Where the picture of accuracy begins: what climbs from chance in the first quarter may leave it below."""
    low = min(min(record["train_accuracy"], record["eval_accuracy"]) for record in epochs[len(epochs) // 4 :])
    return max(low - 0.5 * (1 - low), 0.0)
