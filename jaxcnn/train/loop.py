"""The training run: epochs whose figures and checkpoints are kept in a run folder, from which it is resumed."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from jaxcnn.train import checkpoint
from jaxcnn.train.alone import alone
from jaxcnn.train.epochs import Diverged, Wish, epochs
from jaxcnn.train.experiment import Evaluation, Experiment, prepare
from jaxcnn.train.facts import DatasetFacts
from jaxcnn.train.figures import score
from jaxcnn.train.interrupt import Interrupt, on_interrupt
from jaxcnn.train.keeper import Keeper
from jaxcnn.train.log import Log
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.restore import load, mend_models
from jaxcnn.train.rollback import epochs_with_rollback, found
from jaxcnn.train.run_folder import RunFolder, check_out, discard, source_of, start
from jaxcnn.train.saver import Saver
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.watch import Epoch, Watcher


@dataclass(frozen=True)
class Result:
    """What `train` did. `evaluation` is of the last state, None if the run was stopped before its end."""

    run: RunFolder
    experiment: Experiment
    state: TrainState
    evaluation: Evaluation | None


def train(config: TrainConfig, *watchers: Watcher) -> Result:
    """Train as `config` says and leave everything in its run folder.

    The same configuration gives the same final parameters, bit for bit, on the same machine and JAX version, also
    when the run was interrupted at any step and resumed.

    Raises ValueError or OSError for bad options, data or run folder, and FloatingPointError if the loss stops being
    finite. Ctrl-C, SIGTERM or SIGHUP finishes the step, saves the checkpoint `last` and returns, and so does the end of
    `max_time`; before the run folder is begun a signal raises KeyboardInterrupt and leaves the folder as it was.
    """
    with on_interrupt(begun=False) as interrupt:
        clock = _Clock(config, interrupt)
        check_out(config)
        source = source_of(config)
        dataset = config.load()
        experiment = prepare(config, dataset, source=source)
        facts = DatasetFacts(dataset.name, dataset.classes, dataset.image_shape, experiment.mean, experiment.std)
        state, metrics = experiment.initial_state(), Metrics.zero()
        assert config.out is not None  # the recipe fills it in
        interrupt.begin()
        with alone(config.out):
            run = start(config, facts, source)
            if saved := load(run, experiment):  # of a resumed run
                state, metrics = saved
                mend_models(run, experiment)
            elif run.metrics():
                warnings.warn(f"{run.path} holds no checkpoint any more: training begins anew.", stacklevel=2)
            _tidy(run, experiment.epochs_done(int(state.step)), int(state.step))
            log = Log(config.log_every, [run.append_steps, *(watcher.logged for watcher in watchers)], metrics)
            watchers = (log, *watchers)
            for watcher in watchers:
                watcher.started(experiment, int(state.step))
            try:
                state, evaluation = _kept(run, experiment, state, metrics, watchers, clock)
            except Diverged as error:
                where = found(experiment, error, lambda: _saved(run, experiment))
                raise FloatingPointError(f"{error} {where}{_left(run)}") from None
            finally:
                experiment.feed.close()
            return Result(run, experiment, state, evaluation)


def _kept(
    run: RunFolder,
    experiment: Experiment,
    state: TrainState,
    metrics: Metrics,
    watchers: Sequence[Watcher],
    clock: "_Clock",
) -> tuple[TrainState, Evaluation | None]:
    """Train, and keep what each pause leaves: the final state and its evaluation, None of a run that is stopped."""
    evaluation = None
    patience = _Patience(run.config, [score(run.config.best_by, record) for record in run.metrics()])
    hears, wish = (patience, *watchers), lambda: "stop" if patience.over else clock.wish()

    def saved() -> tuple[TrainState, Metrics]:
        saver.wait()
        return _saved(run, experiment)

    with Saver() as saver:
        keeper = Keeper(run, experiment, saver)
        if clock.wish() == "stop":  # without waiting for the first step to compile
            keeper.keep(state, metrics)
            return state, None
        if run.config.on_nonfinite == "rollback":
            pauses = epochs_with_rollback(experiment, state, metrics, hears, wish, saved)
        else:
            pauses = epochs(experiment, state, metrics, hears, wish)
        for pause in () if patience.over else pauses:
            state, metrics, evaluation, record = pause
            if record is not None:
                run.append_metrics(record)
            keeper.keep(state, metrics, record)
            clock.saved()
    if patience.over or int(state.step) == experiment.total_steps:
        return state, evaluation if evaluation and experiment.chosen_by == "test" else experiment.evaluate(state)
    return state, None


@dataclass
class _Patience(Watcher):
    """Whether as many epochs as wanted have passed since the best, `scores` being those of all so far."""

    config: TrainConfig
    scores: list[float]

    def epoch_done(self, record: Epoch) -> None:
        self.scores.append(score(self.config.best_by, record))

    @property
    def over(self) -> bool:
        if self.config.patience is None or not self.scores:
            return False
        return len(self.scores) > self.scores.index(max(self.scores)) + self.config.patience


class _Clock:
    """Whether the loop is to stop, for a signal came or the time is over, or to save. By a clock that is never set."""

    def __init__(self, config: TrainConfig, interrupt: Interrupt) -> None:
        self._interrupt, self._every = interrupt, config.seconds("save_every")
        self._end = time.monotonic() + config.seconds("max_time")
        self.saved()

    def saved(self) -> None:
        self._due = time.monotonic() + self._every

    def wish(self) -> Wish:
        now = time.monotonic()
        if self._interrupt.requested or now >= self._end:
            return "stop"
        return "save" if now >= self._due else "go on"


def _tidy(run: RunFolder, epochs: int, step: int) -> None:
    """metrics.jsonl as it was when the checkpoint was written; a warning where it lacks epochs."""
    if lost := run.keep_metrics(epochs, step):
        some = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
        warnings.warn(
            f"{run.path / 'metrics.jsonl'} has lost {len(lost)} of {epochs} epochs ({some}); only the learning "
            "curves lack them.",
            stacklevel=3,
        )


def _saved(run: RunFolder, experiment: Experiment) -> tuple[TrainState, Metrics]:
    """What the last checkpoint holds; before the first, what training began with."""
    return load(run, experiment) or (experiment.initial_state(), Metrics.zero())


def _left(run: RunFolder) -> str:
    """What is left of a run that diverged; one without a checkpoint would only do so again, and is removed."""
    if checkpoint.exists(run.checkpoint("last")):
        return f"The checkpoints before that step are kept in {run.path}; --overwrite replaces them."
    discard(run)
    return f"There was no checkpoint before that step, so nothing is left in {run.path}."
