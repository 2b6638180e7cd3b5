"""How large δ and the gradient of each layer are while training goes on: where they vanish, or explode."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from jaxcnn.train.experiment import Experiment
from jaxcnn.train.gradients import is_large
from jaxcnn.train.state import TrainState
from jaxcnn.train.watch import LayerNorms, Watcher

IMAGES = 16


def wanted(asked: Literal["auto", "yes", "no"], experiment: Experiment) -> bool:
    """Whether layers are measured: where it is asked for, and by default where the network is not large."""
    if asked != "auto":
        return asked == "yes"
    return not is_large(experiment.model, experiment.dataset.image_shape, IMAGES)


class MeasureLayers(Watcher):
    """Measures the norms of each layer's δ and gradient before the first step and after each epoch.

    They are of the mean loss of the same 16 training images each time, which lie evenly among all, without
    augmentation, in float32 and with the same draws of dropout: so they differ by what was trained alone.

    Args:
      tell: what is called with each record. Of several processes all measure.
    """

    def __init__(self, tell: Sequence[Callable[[LayerNorms], None]]) -> None:
        self._tell = tell

    def started(self, experiment: Experiment, step: int) -> None:
        images, labels = experiment.dataset.parts["train"]
        rows = np.linspace(0, len(images) - 1, min(IMAGES, len(images))).astype(int)
        self._norms, self._placement = experiment.norms, experiment.placement
        self._batch = self._placement.whole((np.asarray(images[rows]), labels[rows]))

    def stands(self, step: int, state: TrainState) -> None:
        norms = jax.device_get(self._placement.fetched(self._norms(state, *self._batch)))
        record: LayerNorms = {
            "step": step,
            "images": len(self._batch[1]),
            "delta": _finite(norms.delta),
            "gradient": _finite(norms.gradient),
        }
        for tell in self._tell:
            tell(record)


def _finite(norms: Mapping[str, Any]) -> dict[str, float | None]:
    """As JSON has them: None where one is not finite."""
    numbers = {path: float(norm) for path, norm in norms.items()}
    return {path: norm if math.isfinite(norm) else None for path, norm in numbers.items()}
