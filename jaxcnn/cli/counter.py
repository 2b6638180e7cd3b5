"""How far a command is through many things, on stderr: stdout is for what it finds out about them.

On a terminal that is a bar, unless what is found out is shown there, too; elsewhere a line now and then.
"""

import sys
import time
from types import TracebackType

import rich.progress
from rich.progress import BarColumn, TextColumn

from jaxcnn.cli.amounts import duration
from jaxcnn.cli.console import Console

EVERY = 60.0  # seconds from line to line


class Counter:
    """A context in which things are counted, `total` of them where that is known."""

    def __init__(self, things: str, total: int | None) -> None:
        self._things, self._total, self._done = things, total, 0
        self._console = Console(soft_wrap=True, stderr=True)
        self._bar = rich.progress.Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            console=self._console,
            transient=True,
            redirect_stdout=False,
            disable=sys.stdout.isatty() or not self._console.is_terminal,
        )

    def __enter__(self) -> "Counter":
        self._began = self._told = time.monotonic()
        self._bar.start()
        self._task = self._bar.add_task(self._things, total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def add(self, number: int) -> None:
        """So many more are done."""
        self._done += number
        self._bar.update(self._task, completed=self._done, description=self._line())
        if time.monotonic() >= self._told + EVERY and self._bar.disable and not sys.stdout.isatty():
            self._told = time.monotonic()
            self._console.print(self._line())

    def _line(self) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        of = "" if self._total is None else f" of {self._total:,}"
        left = "" if self._total is None else f", {duration(seconds * (self._total / self._done - 1))} left"
        return f"{self._done:,}{of} {self._things}, {self._done / seconds:,.1f} a second{left}"
