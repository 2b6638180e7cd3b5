"""What a run keeps of its training: the checkpoints `last` and `best`, and the model of each."""

import math
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental import multihost_utils

from jaxcnn.train import checkpoint, model_folder
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.figures import score
from jaxcnn.train.model import CheckpointName
from jaxcnn.train.run_folder import RunFolder
from jaxcnn.train.saver import Place, Saver
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.watch import Epoch


class Keeper:
    """Keeps the train state of each pause as `last`, and where its epoch is better than all before as `best`."""

    def __init__(self, run: RunFolder, experiment: Experiment, saver: Saver) -> None:
        self._run, self._experiment, self._saver = run, experiment, saver
        self._best = best_score(run)

    def keep(self, state: TrainState, metrics: Metrics, record: Epoch | None = None) -> None:
        """Have it written; `metrics` are of the epoch so far, `record` of the one that has just ended.

        A model is written before its checkpoint: what a process that is killed between the two has written, the resumed
        run writes again. `best` comes before `last`, after which its epoch is not trained again.
        """
        run, places = self._run, dict[CheckpointName, Place]()
        if record is not None:
            figures, by = dict[str, Any](record), run.config.best_by
            if (now := score(by, figures)) > self._best:
                self._best = now
                places["best"] = Place(run.checkpoint("best"), remarks={by: figures[by]})
        places["last"] = Place(run.checkpoint("last"), run.config.keep)
        accuracy = None if record is None else record["eval_accuracy"]
        on_host = _on_host(state)

        def save_models() -> None:
            for name in places:
                save_model(run, self._experiment, name, on_host, accuracy)

        self._saver.save({"train": state, "metrics": metrics}, *places.values(), before=save_models)


def save_model(
    run: RunFolder, experiment: Experiment, name: CheckpointName, state: TrainState, eval_accuracy: float | None = None
) -> None:
    """Write what `model_folder.load_model` reads."""
    recipe, step = experiment.recipe, int(state.step)
    assert recipe.label_smoothing is not None  # filled in
    tree = {"params": state.params, "state": state.state}
    if state.average:
        tree["ema"] = dict(zip(("params", "state"), state.average, strict=True))
    model_folder.write(
        run.model(name),
        tree,
        run.source,
        network=run.config.model if run.source is None else run.source.function,
        options={"classes": len(run.facts.classes)},
        classes=run.facts.classes,
        image_shape=run.facts.image_shape,
        crop=run.config.crop,
        resample=run.config.resample,
        mean=run.facts.mean,
        std=run.facts.std,
        loss=recipe.loss,
        temperature=1.0,
        label_smoothing=recipe.label_smoothing,
        dataset=run.facts.name,
        checkpoint=name,
        step=step,
        epoch=step // experiment.steps_per_epoch,
        eval_accuracy=eval_accuracy,
        imported={},
    )


def best_score(run: RunFolder) -> float:
    """The score of `best`, by the run's figure; -inf where there is none, or it is damaged: the next epoch is better.

    It is kept with the checkpoint, so that it is not lost with metrics.jsonl, to which an earlier version left it.
    """
    by = run.config.best_by
    try:
        remarks = checkpoint.check(run.checkpoint("best"))
    except (FileNotFoundError, checkpoint.Damaged):
        return -math.inf
    if by in remarks:
        return score(by, remarks)
    return max((score(by, record) for record in run.metrics()), default=-math.inf)


def _on_host(state: TrainState) -> TrainState:
    """What models are made of, which then outlives the state: it may be donated, see `Saver.save`."""

    def fetched(array: Array) -> Any:
        if array.is_fully_addressable or array.is_fully_replicated:
            return np.asarray(array)
        return multihost_utils.process_allgather(array, tiled=True)  # each process has a part

    params, moving, average, step = jax.tree.map(fetched, (state.params, state.state, state.average, state.step))
    return replace(state, params=params, state=moving, average=average, step=step, opt_state=())
