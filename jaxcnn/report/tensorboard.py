"""Event files that TensorBoard shows, written without TensorFlow."""

import time
from pathlib import Path
from types import TracebackType
from typing import Any

from jaxcnn.report.scalars import scalars
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.watch import Epoch, LayerNorms, Steps, Watcher


class TensorBoard(Watcher):
    """Writes what is logged as scalars into a folder, for `tensorboard --logdir`; a context manager.

    A resumed run writes a file of its own, which tells TensorBoard to hide what others say of later steps.

    Raises ValueError without the package tensorboardX.
    """

    def __init__(self, folder: Path) -> None:
        try:
            from tensorboardX import SummaryWriter
        except ImportError as error:
            raise ValueError(
                'tensorboard=True needs the package tensorboardX; install it with: pip install "jaxcnn[tensorboard]".'
            ) from error
        self._folder, self._open = folder, SummaryWriter
        self._writer: Any = None  # until the run starts

    def __enter__(self) -> "TensorBoard":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()

    def started(self, experiment: Experiment, step: int) -> None:
        own = f".{time.time_ns()}"  # or a run that is resumed within a second would write over its first file
        self._writer = self._open(str(self._folder), purge_step=step + 1 if step else None, filename_suffix=own)

    def logged(self, record: Steps) -> None:
        self._write(scalars("steps", record), record["step"])

    def layers_measured(self, record: LayerNorms) -> None:
        self._write(scalars("layers", record), record["step"])

    def epoch_done(self, record: Epoch) -> None:
        self._write(scalars("epoch", record), record["step"])
        self._writer.flush()

    def _write(self, values: dict[str, float], step: int) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
