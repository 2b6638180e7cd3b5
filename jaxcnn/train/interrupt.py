"""Ctrl-C as a request: finish the step, save, stop. A second one aborts at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STDERR = 2


class Interrupt:
    """The handler of SIGINT, and whether Ctrl-C was pressed."""

    requested = False

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        # Not print: the signal may have come in the middle of one, and Python's streams refuse to be entered twice.
        os.write(_STDERR, b"\nstopping after this step; press Ctrl-C again to stop at once\n")


@contextmanager
def on_interrupt() -> Iterator[Interrupt]:
    """While inside, the first SIGINT sets `requested` and says so, and the next raises KeyboardInterrupt.

    Inside another `on_interrupt` it is that one's `Interrupt`. Outside the main thread, where Python allows no
    signal handlers, nothing changes.
    """
    before = signal.getsignal(signal.SIGINT)
    if isinstance(before, Interrupt):
        yield before
        return
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
