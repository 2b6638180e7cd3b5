"""Training without a run folder: a network and a dataset in, a trained state out."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import optax

from jaxcnn.data import Dataset
from jaxcnn.layers import Layer, Params, State
from jaxcnn.train.begin import begin
from jaxcnn.train.epochs import epochs
from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.experiment import Experiment, experiment_of
from jaxcnn.train.log import Log
from jaxcnn.train.placement import Placement
from jaxcnn.train.recipe import OptimizationRecipe
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import Augment
from jaxcnn.train.watch import Epoch, Watcher


class Fitted(NamedTuple):
    """What `fit` did: the last state, its evaluation on the test images, and what each epoch came to."""

    experiment: Experiment
    state: TrainState
    evaluation: Evaluation
    epochs: tuple[Epoch, ...]


def fit(
    network: Layer,
    dataset: Dataset,
    recipe: OptimizationRecipe,
    watchers: Sequence[Watcher] = (),
    *,
    log_every: int = 50,
    optimizer: optax.GradientTransformation | None = None,
    augment: Augment | None = None,
    placement: Placement | None = None,
    init: tuple[Params, State] | None = None,
    pixel_statistics: tuple[Sequence[float], Sequence[float]] | None = None,
) -> Fitted:
    """Train any network on any dataset as the recipe says; nothing is written.

    `jaxcnn.train.loop.train` does the same with a run folder, from which it can be resumed.

    Args:
      network: a layer that turns images (n, h, w, c) into logits (n, classes).
      dataset: its training images are learned; after each epoch its validation images are evaluated, or where it has
        none its test images.
      recipe: passes, batch size, optimizer, loss, ..., such as OptimizationRecipe(epochs=10, optimizer="sgd").
      watchers: each hears of every step and epoch, and every `log_every` steps of what these came to.
      optimizer: one of your own in the place of the recipe's, with its own rate; an epoch's record tells the recipe's.
      augment: (key, images, labels) -> (images, labels), in the place of the recipe's.
      placement: the devices, one by default; `hosts.place(DevicesRecipe(devices=8))` are several.
      init: params and state to begin with, such as those of `jaxcnn.load_pretrained`; a part of the network that is not
        among them, such as a head, is random by the seed.
      pixel_statistics: (mean, deviation) per channel of pixels from 0 to 1 that `init` expects, such as
        `load_pretrained`'s; by default those of the training images.

    Returns: a `Fitted`. `fitted.state.evaluated` are the params and state to use.

    Raises: ValueError if the network does not fit the images or the recipe, or the recipe is to go back to checkpoints,
    FloatingPointError if training diverges.
    """
    if recipe.on_nonfinite == "rollback":
        raise recipe.wrong(
            "on_nonfinite", "fit writes no checkpoint to go back to; take skip, or train in a run folder"
        )
    experiment = experiment_of(recipe, dataset, network, pixel_statistics, placement=placement, init=init)
    experiment = replace(experiment, optimizer=optimizer or experiment.optimizer, augment=augment or experiment.augment)
    state, evaluation, records = begin(experiment), None, []
    watchers = (Log(log_every, [watcher.logged for watcher in watchers]), *watchers)
    for watcher in watchers:
        watcher.started(experiment, 0)
    for pause in epochs(experiment, state, experiment.no_metrics(), watchers):
        state, evaluation = pause.state, pause.evaluation
        assert pause.record is not None  # nobody asks to stop within an epoch
        records.append(pause.record)
    assert evaluation is not None
    if experiment.chosen_by != "test":
        evaluation = experiment.evaluate(state)
    return Fitted(experiment, state, evaluation, tuple(records))
