"""A run that goes on: its folder, ours alone, and what is kept there at each pause."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from jaxcnn.train import checkpoint, hosts
from jaxcnn.train.alone import alone
from jaxcnn.train.begin import begin
from jaxcnn.train.epochs import Diverged, Pause
from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.facts import DatasetFacts
from jaxcnn.train.keeper import Keeper
from jaxcnn.train.placement import ONE_DEVICE
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.restore import load, mend_models
from jaxcnn.train.rollback import found
from jaxcnn.train.run_folder import RunFolder, discard, start
from jaxcnn.train.saver import Saver
from jaxcnn.train.state import Metrics, TrainState


@dataclass(frozen=True)
class Result:
    """What `train` did. `evaluation` is of the last state, None if the run was stopped before its end."""

    run: RunFolder
    experiment: Experiment
    state: TrainState
    evaluation: Evaluation | None


class Run:
    """A run that goes on: its folder, and what it has come to by its last pause."""

    def __init__(
        self, folder: RunFolder, experiment: Experiment, state: TrainState, metrics: Metrics, saver: Saver
    ) -> None:
        self.folder, self.experiment, self.state, self.metrics = folder, experiment, state, metrics
        self._saver, self._keeper = saver, Keeper(folder, experiment, saver)
        self._evaluation: Evaluation | None = None

    def keep(self, pause: Pause) -> None:
        """Have written what the pause leaves."""
        self.state, self.metrics, self._evaluation, record = pause
        if record is not None and hosts.first():
            self.folder.append_metrics(record)
        self._keeper.keep(self.state, self.metrics, record)

    def saved(self) -> tuple[TrainState, Metrics]:
        """What the last checkpoint holds; before the first, what training began with."""
        self._saver.wait()
        return load(self.folder, self.experiment) or (self.experiment.initial_state(), self.experiment.no_metrics())

    def result(self, *, over: bool = False) -> Result:
        """What the run has come to; it is finished after its last step, and where it is `over` before.

        What is left of several devices lies on this process's first one, which needs no other for what comes next.
        """
        experiment, evaluation = self.experiment, None
        if over or int(self.state.step) == experiment.total_steps:
            of_test = self._evaluation if experiment.chosen_by == "test" else None
            evaluation = of_test or experiment.evaluate(self.state)
        if experiment.placement is not ONE_DEVICE:
            experiment = replace(experiment, placement=ONE_DEVICE)
        return Result(self.folder, experiment, self.experiment.placement.fetched(self.state), evaluation)

    def diverged(self, error: Diverged) -> FloatingPointError:
        """The error with what was not finite, and what is left of the run."""
        where = found(self.experiment, error, self.saved)
        return FloatingPointError(f"{error} {where}{_left(self.folder)}")


@contextmanager
def taken_up(config: TrainConfig, experiment: Experiment) -> Iterator[Run]:
    """The run in the folder that `config` names, which is ours alone, at its beginning or at its last checkpoint.

    To leave it is to wait until all is written.
    """
    assert config.out is not None  # the recipe fills it in
    dataset = experiment.dataset
    facts = DatasetFacts(dataset.name, dataset.classes, dataset.image_shape, experiment.mean, experiment.std)
    began = None if config.resume else begin(experiment)  # before the folder is: where it fails it leaves none
    with ExitStack() as stack:
        hosts.by_first(stack.enter_context, alone(config.out))
        run = start(config, facts, experiment.source, experiment.origin)
        saved = load(run, experiment)  # of a resumed run
        if saved:
            mend_models(run, experiment)
        elif run.metrics():
            warnings.warn(f"{run.path} holds no checkpoint any more: training begins anew.", stacklevel=4)
        state, metrics = saved or (began or begin(experiment), experiment.no_metrics())
        hosts.by_first(_tidy, run, experiment.epochs_done(int(state.step)), int(state.step))
        with Saver() as saver:
            try:
                yield Run(run, experiment, state, metrics, saver)
            finally:
                experiment.feed.close()


def _tidy(run: RunFolder, epochs: int, step: int) -> None:
    """metrics.jsonl as it was when the checkpoint was written; a warning where it lacks epochs."""
    if lost := run.keep_metrics(epochs, step):
        some = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        warnings.warn(
            f"{run.path / 'metrics.jsonl'} has lost {len(lost)} of {epochs} epochs ({some}); only the learning "
            "curves lack them.",
            stacklevel=5,
        )


def _left(run: RunFolder) -> str:
    """What is left of a run that diverged; one without a checkpoint would only do so again, and is removed."""
    if checkpoint.exists(run.checkpoint("last")):
        return f"The checkpoints before that step are kept in {run.path}; --overwrite replaces them."
    hosts.by_first(discard, run)
    return f"There was no checkpoint before that step, so nothing is left in {run.path}."
