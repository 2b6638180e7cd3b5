"""Where a run's arrays lie: on one device, or cut along the batch over several."""

from dataclasses import dataclass
from typing import Any, TypeVar

import jax
import numpy as np

Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Placement:
    """Which devices hold what. This one is JAX's first device, and holds everything."""

    def whole(self, tree: Tree) -> Tree:
        """The arrays on every device."""
        return jax.device_put(tree)

    def state(self, tree: Tree) -> Tree:
        """A train state, as the devices keep it."""
        return jax.device_put(tree)

    def batch(self, tree: Any) -> Any:
        """Arrays of a batch, of which this process has its `part`: their first axis is cut over the devices."""
        return jax.device_put(tree)

    def part(self, rows: np.ndarray) -> np.ndarray:
        """Of the rows of a batch, the ones that this process reads."""
        return rows
