"""The names by which others are told what metrics.jsonl tells."""

from typing import Literal

from jaxcnn.train.watch import Epoch, Steps


def scalars(kind: Literal["steps", "epoch"], record: Steps | Epoch) -> dict[str, float]:
    """The record's numbers, as KIND/FIELD; without what is None, and without step and epoch, which count them."""
    fields = {name: value for name, value in record.items() if name not in ("step", "epoch")}
    return {f"{kind}/{name}": value for name, value in fields.items() if isinstance(value, int | float)}
