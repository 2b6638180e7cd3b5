"""The figures of an epoch that the best epoch can be chosen by."""

from collections.abc import Mapping
from typing import Any, Literal

BETTER: dict[str, Literal["higher", "lower"]] = {
    "eval_accuracy": "higher",
    "eval_loss": "lower",
    "eval_top5": "higher",
    "eval_balanced_accuracy": "higher",
    "eval_calibration_error": "lower",
    "train_accuracy": "higher",
    "train_loss": "lower",
}
"""Each by its name in metrics.jsonl, and which of two values is the better one."""


def score(figure: str, record: Mapping[str, Any]) -> float:
    """The figure in an epoch's record (or another mapping that has it), negated where lower is better.

    Raises ValueError if the record has none.
    """
    if record.get(figure) is None:
        raise ValueError(f"best_by is {figure!r}, which this run's epochs do not have; they have {', '.join(record)}.")
    value = float(record[figure])
    return value if BETTER[figure] == "higher" else -value
