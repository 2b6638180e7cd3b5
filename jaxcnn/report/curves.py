"""Learning curves: loss and accuracy by epoch, and the training loss in between."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcnn.report import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save(
    records: Sequence[Mapping[str, Any]], path: Path, *, title: str, steps: Sequence[Mapping[str, Any]] = ()
) -> None:
    """Draw the epochs of metrics.jsonl, and the loss of its `steps`, into the PNG `path`.

    Raises ValueError if there are no epochs.
    """
    if not records:
        raise ValueError("curves: there are no epochs to draw; finish one first.")
    figure = style.figure(10, 4, title)
    loss, accuracy = figure.subplots(1, 2)
    _lines(loss, records, "loss")
    if len(steps) > len(records):  # else they are those of the epochs
        per_epoch = records[-1]["step"] / records[-1]["epoch"]
        known = [(line["step"] / per_epoch, line["loss"]) for line in steps if line["loss"] is not None]
        loss.plot(*zip(*known, strict=True), color=style.FIRST, alpha=0.35, linewidth=0.8, zorder=1)
        loss.set_xlim(left=0)
    values = [record[name] for record in records for name in ("train_loss", "eval_loss")]
    if max(values) > 10 * min(values) > 0:
        loss.set_yscale("log")
    loss.legend(**style.LEGEND, loc="upper right")

    _lines(accuracy, records, "accuracy")
    part = records[-1]["part"]
    best = max(records, key=lambda record: record["eval_accuracy"])
    accuracy.plot(
        best["epoch"],
        best["eval_accuracy"],
        "o",
        color=style.SECOND,
        markersize=7,
        label=f"best {part} {best['eval_accuracy']:.4f}, epoch {best['epoch']}",
    )
    # The first quarter climbs from chance and would flatten the rest: it may leave the picture at the bottom.
    settled = records[len(records) // 4 :]
    low = min(min(record["train_accuracy"], record["eval_accuracy"]) for record in settled)
    accuracy.set_ylim(max(low - 0.5 * (1 - low), 0.0) - 0.001, 1 + 0.04 * (1 - low) + 0.0005)
    accuracy.legend(**style.LEGEND, loc="lower right")
    style.save(figure, path)


def _lines(axes: "Axes", records: Sequence[Mapping[str, Any]], name: str) -> None:
    from matplotlib.ticker import MaxNLocator

    epochs = [record["epoch"] for record in records]
    for which, color in (("train", style.FIRST), ("eval", style.SECOND)):
        values = [record[f"{which}_{name}"] for record in records]
        which = records[-1]["part"] if which == "eval" else which
        marker = "o" if len(records) < 15 else None
        label = f"{which}, last {values[-1]:.4f}"
        axes.plot(epochs, values, color=color, linewidth=1.8, marker=marker, markersize=4, label=label)
    style.tidy(axes, "epoch", name)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
