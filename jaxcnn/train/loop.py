"""The training run: epochs whose figures and checkpoints are kept in a run folder, from which it is resumed."""

from dataclasses import dataclass

from jaxcnn.train import hosts
from jaxcnn.train.clock import Clock
from jaxcnn.train.epochs import Diverged, Pause, epochs
from jaxcnn.train.experiment import Experiment, prepare
from jaxcnn.train.figures import score
from jaxcnn.train.init_from import begun
from jaxcnn.train.interrupt import on_interrupt
from jaxcnn.train.log import Log
from jaxcnn.train.measure_layers import MeasureLayers, wanted
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.rollback import epochs_with_rollback
from jaxcnn.train.run import Result, taken_up
from jaxcnn.train.run_folder import check_out, source_of
from jaxcnn.train.watch import Epoch, Watcher

OF_A_PROCESS = ("process_id", "coordinator", "out", "data_dir")  # options in which processes may differ


def train(config: TrainConfig, *watchers: Watcher, experiment: Experiment | None = None) -> Result:
    """Train as `config` says and leave everything in its run folder.

    The devices are those that it asks for, see `hosts.place`. Of several processes all call this, and the first one
    writes; the result lies on each one's own first device.

    The same configuration gives the same final parameters, bit for bit, on the same machine and JAX version, also
    when the run was interrupted at any step and resumed.

    `experiment` is what `prepare` makes of the configuration and its dataset, for one who has it at hand: then nothing
    is loaded.

    Raises ValueError or OSError for bad options, data or run folder, and FloatingPointError if the loss stops being
    finite. Ctrl-C, SIGTERM or SIGHUP finishes the step, saves the checkpoint `last` and returns, and so does the end of
    `max_time`; before the run folder is begun a signal raises KeyboardInterrupt and leaves the folder as it was.
    """
    with on_interrupt(begun=False) as interrupt, hosts.as_one():
        placement = hosts.place(config) if experiment is None else experiment.placement
        hosts.check_same({name: value for name, value in vars(config).items() if name not in OF_A_PROCESS})
        clock = Clock(config, interrupt)
        if experiment is None:
            config, statistics, weights = begun(config)
            check_out(config)
            source, dataset = source_of(config), config.load()
            experiment = prepare(config, dataset, statistics, source=source, placement=placement, weights=weights)
        else:
            check_out(config)
        interrupt.begin()
        with taken_up(config, experiment) as run:
            if hosts.first():
                tell = [run.folder.append_steps, *(watcher.logged for watcher in watchers)]
                watchers = (Log(config.log_every, tell, run.metrics), *watchers)
            if wanted(config.layer_norms, experiment):
                heard = [run.folder.append_layers, *(watcher.layers_measured for watcher in watchers)]
                watchers = (MeasureLayers(heard if hosts.first() else []), *watchers)
            for watcher in watchers:
                watcher.started(experiment, int(run.state.step))
            if clock.wish() == "stop":  # without waiting for the first step to compile
                run.keep(Pause(run.state, run.metrics, None, None))
                return run.result()
            patience = _Patience(config, [score(config.best_by, record) for record in run.folder.metrics()])
            hears, wish = (patience, *watchers), lambda: "stop" if patience.over else clock.wish()
            if config.on_nonfinite == "rollback":
                pauses = epochs_with_rollback(experiment, run.state, run.metrics, hears, wish, run.saved)
            else:
                pauses = epochs(experiment, run.state, run.metrics, hears, wish)
            try:
                for pause in () if patience.over else pauses:
                    run.keep(pause)
                    clock.saved()
            except Diverged as error:
                raise run.diverged(error) from None
            return run.result(over=patience.over)


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
