"""Writing checkpoints while training goes on.

`Saver.save` fetches the arrays and returns; a thread does the rest, in an order that leaves something whole wherever it
is killed: Orbax writes N.new beside the checkpoints, what belongs to the checkpoint is written, and N.new's manifest;
N.new is renamed N; older ones are removed.
"""

import functools
import itertools
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import jax

from jaxcnn.train import checkpoint

_BARRIER_SECONDS = 600  # as Orbax's own
_barriers = itertools.count()


class Place(NamedTuple):
    """A folder of checkpoints, how many of them stay there, and what the new one is to be remembered for."""

    folder: Path
    keep: int = 1
    remarks: Mapping[str, float] = {}


class Saver:
    """A context in which checkpoints are written, one at a time; to leave it is to wait for the last.

    Of several processes each makes the same calls. Each writes its part of the arrays, to a file system that they
    share; the first does all else, and none goes on from a wait before the checkpoint is whole.
    """

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._at_first_save = stack.enter_context(ExitStack())
            self._thread = stack.enter_context(ThreadPoolExecutor(1, "checkpoint"))
            self._close = stack.pop_all().close
        self._writing: Future[None] | None = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.wait()
        except OSError as failed:
            if error is None:
                raise
            warnings.warn(str(failed), stacklevel=2)  # the error is what ends the run
        finally:
            self._close()

    @functools.cached_property
    def _orbax(self) -> Any:
        return self._at_first_save.enter_context(checkpoint.orbax())

    def save(self, tree: Any, *places: Place, before: Callable[[], None] = lambda: None) -> None:
        """Make `tree`, as it is now, the checkpoint that each of the places holds; returns before it is written.

        The arrays may be donated at once: JAX writes nothing to memory that NumPy sees, which on a CPU is the array's
        own. `before` is called, in the thread, before there is the checkpoint.

        Raises OSError if this checkpoint, or the one before it, can't be written; what was there is whole.
        """
        self.wait()
        writes = [_Write(place) for place in places]
        with self._tidied(writes), writes[0].explained():
            self._orbax.save(writes[0].new, tree, force=True)
        self._writing = self._thread.submit(self._finish, writes, before)

    def wait(self) -> None:
        """Return when all is on disk. Raises OSError if it can't be written; what was there is whole."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def _finish(self, writes: "Sequence[_Write]", before: Callable[[], None]) -> None:
        first, *copies = writes
        with self._tidied(writes):
            if _is_first():
                before()
            with first.explained():
                self._orbax.wait_until_finished()
            for copy in copies if _is_first() else ():
                with copy.explained():
                    checkpoint.remove(copy.new)
                    shutil.copytree(first.new, copy.new)
            for write in writes if _is_first() else ():
                with write.explained():
                    write.finish()
            if jax.process_count() > 1:
                from orbax.checkpoint import multihost

                # Not a barrier of devices, whose collectives would come between those of the training steps.
                barrier = multihost.get_barrier_sync_fn()
                barrier(key=f"jaxcnn_checkpoint_{next(_barriers)}", timeout_ms=1000 * _BARRIER_SECONDS)

    @contextmanager
    def _tidied(self, writes: "Sequence[_Write]") -> Iterator[None]:
        """Remove what is unfinished where something fails inside; the next save, what threads write even later."""
        try:
            yield
        except BaseException:
            with suppress(Exception):
                self._orbax.wait_until_finished()
            for write in writes if _is_first() else ():
                for unfinished in write.place.folder.glob(f"{write.new.name}*"):
                    with suppress(OSError):  # of a thread that still writes there
                        checkpoint.remove(unfinished)
            raise


class _Write:
    """The next checkpoint at a place: `new` while it is being written, then `final`."""

    def __init__(self, place: Place) -> None:
        self.place = place
        if _is_first() and not place.folder.is_dir():
            checkpoint.remove(place.folder)  # a file, or a broken link
        self._newest = checkpoint.newest_in(place.folder)
        number = "0" if self._newest is None else str(int(self._newest.name) + 1)
        self._final = place.folder.absolute() / number
        self.new = self._final.with_name(f"{number}.new")

    @contextmanager
    def explained(self) -> Iterator[None]:
        """An OSError for whatever is raised: a full disk is Orbax's or TensorStore's ValueError, and so on."""
        try:
            yield
        except Exception as error:
            newest = self._newest
            left = "there was none before it" if newest is None else f"the one before it, {newest}, is whole"
            why = checkpoint.one_line(error)
            raise OSError(f"the checkpoint {self._final} can't be written ({why}); {left}.") from error

    def finish(self) -> None:
        checkpoint.seal(self.new, self.place.remarks)
        self.new.rename(self._final)
        kept = checkpoint.complete(self.place.folder)[: self.place.keep]
        for other in self.place.folder.iterdir():
            if other.name not in [path.name for path in kept]:
                checkpoint.remove(other)


def _is_first() -> bool:
    return jax.process_index() == 0
