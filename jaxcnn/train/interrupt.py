"""Ctrl-C and SIGTERM as a request: finish the step, save, stop. A second one aborts at once."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STDERR = 2


class Stopped(KeyboardInterrupt):
    """A signal ended the program: why, or "", and the exit code that says which signal: 128 and its number."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupt:
    """The handler of the signals; whether one came, and the exit code that says which."""

    requested = False
    exit_code = 0

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        if self.requested:
            raise Stopped("", 128 + signum)
        self.requested, self.exit_code = True, 128 + signum
        again = b"; press Ctrl-C again to stop at once" if signum == signal.SIGINT else b""
        # Not print: the signal may have come in the middle of one, and Python's streams refuse to be entered twice.
        os.write(_STDERR, b"\nstopping after this step" + again + b"\n")


@contextmanager
def on_interrupt() -> Iterator[Interrupt]:
    """While inside, the first SIGINT or SIGTERM sets `requested` and says so, and the next raises `Stopped`.

    Inside another `on_interrupt` it is that one's `Interrupt`. A signal that is ignored (`nohup`, `&`) stays so.
    Outside the main thread, where Python allows no signal handlers, nothing changes.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    outer = next((handler for handler in before.values() if isinstance(handler, Interrupt)), None)
    if outer is not None:
        yield outer
        return
    interrupt, main = Interrupt(), threading.current_thread() is threading.main_thread()
    heard = {number: handler for number, handler in before.items() if main and handler is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield interrupt
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
