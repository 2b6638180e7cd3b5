"""Who hears what `jaxcnn train` does, by its options."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from jaxcnn.cli.progress import Progress
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.recipe.option import in_seconds
from jaxcnn.train.watch import Watcher


@contextmanager
def watchers(config: TrainConfig) -> Iterator[list[Watcher]]:
    """Those to give to `train`; what they write is closed in the end. Raises ValueError where a package is missing."""
    assert config.out is not None  # filled in
    with ExitStack() as stack:
        heard: list[Watcher] = []
        if config.tensorboard:
            from jaxcnn.report.tensorboard import TensorBoard

            heard.append(stack.enter_context(TensorBoard(config.out / "tensorboard")))
        if config.wandb is not None:
            from jaxcnn.report.weights_and_biases import WeightsAndBiases

            options = {name: str(value) if name == "out" else value for name, value in vars(config).items()}
            heard.append(stack.enter_context(WeightsAndBiases(config.wandb, config.out, options)))
        heard.append(stack.enter_context(Progress(config.title, in_seconds(config.progress_every))))
        yield heard
