"""The names by which others are told what metrics.jsonl tells."""

from collections.abc import Mapping
from typing import Any, Literal

from jaxcnn.train.watch import Epoch, LayerNorms, Steps


def scalars(kind: Literal["steps", "epoch", "layers"], record: Steps | Epoch | LayerNorms) -> dict[str, float]:
    """The record's numbers, as KIND/FIELD; without what is None, and without step and epoch, which count them.

    A layer's are KIND/FIELD/PATH.
    """
    fields = {name: value for name, value in record.items() if name not in ("step", "epoch")}
    return dict(_flat(kind, fields))


def _flat(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        for field, inner in value.items():
            yield from _flat(f"{name}/{field}" if field else name, inner)
    elif isinstance(value, int | float):
        yield name, value
