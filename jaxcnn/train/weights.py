"""Weights that training begins with, and where they come from."""

from dataclasses import dataclass, field
from typing import Any

from jaxcnn.layers import Params, State

Statistics = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Origin:
    """Where the weights come from that a run began with.

    Attributes:
      name: the file, the folder, or what the Hugging Face hub calls it.
      revision: the hub's commit, None for a file.
      sha256: of the file.
      library: whose names it has.
    """

    name: str
    revision: str | None
    sha256: str
    library: str


@dataclass(frozen=True, eq=False)
class Weights:
    """What was read.

    Attributes:
      params, state: by the names of the network's parts.
      classes: what its head tells apart; None where it has none.
      statistics: mean and deviation by channel, of pixels from 0 to 1, that it expects.
      images: the options of a dataset that it was trained on, as `TrainConfig` has them.
      origin: where they come from.
    """

    params: Params = field(repr=False)
    state: State = field(repr=False)
    classes: tuple[str, ...] | None
    statistics: Statistics
    images: dict[str, Any]
    origin: Origin

    def for_classes(self, classes: tuple[str, ...]) -> tuple[Params, State]:
        """The params and state; with the head for the same classes in the same order, and without it for any other."""
        params, state = ({k: v for k, v in tree.items() if k != "head"} for tree in (self.params, self.state))
        return (self.params, self.state) if self.classes == classes else (params, state)
