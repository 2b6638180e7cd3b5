"""What is logged, sent to Weights & Biases."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from jaxcnn.report.scalars import scalars
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.watch import Epoch, LayerNorms, Steps, Watcher


class WeightsAndBiases(Watcher):
    """Sends what is logged to a project, as a run with the name of the run folder; a context manager.

    A resumed run goes on as the same one: its id is kept in the run folder, under wandb/, where wandb itself keeps its
    files. What was sent of later steps stays there, and is not sent again. WANDB_MODE=offline sends nothing.

    Args:
      project: the name of the project.
      folder: the run folder.
      config: shown as the run's configuration.

    Raises ValueError without the package wandb, or where it can't begin, such as without a login.
    """

    def __init__(self, project: str, folder: Path, config: Mapping[str, Any]) -> None:
        try:
            import wandb
        except ImportError as error:
            raise ValueError(
                f'wandb={project} needs the package wandb; install it with: pip install "jaxcnn[wandb]".'
            ) from error
        self._wandb, self._project, self._folder, self._config = wandb, project, folder, dict(config)
        self._run: Any = None  # until it starts

    def __enter__(self) -> "WeightsAndBiases":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._run.finish(exit_code=0 if kind is None else 1)

    def started(self, experiment: Experiment, step: int) -> None:
        kept = self._folder / "wandb" / "run-id.txt"
        if not step or not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            kept.write_text(secrets.token_hex(4))
        try:
            self._run = self._wandb.init(
                project=self._project,
                name=self._folder.name,
                dir=str(self._folder),
                id=kept.read_text(),
                resume="allow",
                config=self._config,
            )
        except self._wandb.Error as error:
            reason = str(error).rstrip(".")
            raise ValueError(
                f"Weights & Biases can't begin ({reason}). Log in with wandb login, or set WANDB_MODE=offline; then go "
                "on with --resume."
            ) from error

    def logged(self, record: Steps) -> None:
        self._run.log(scalars("steps", record), step=record["step"])

    def layers_measured(self, record: LayerNorms) -> None:
        self._run.log(scalars("layers", record), step=record["step"])

    def epoch_done(self, record: Epoch) -> None:
        self._run.log(scalars("epoch", record), step=record["step"])
