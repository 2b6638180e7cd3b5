"""Ctrl-C, SIGTERM, and SIGHUP of a terminal that is closed, as a request: finish the step, save, stop.

A second one aborts at once, and so does the first where there is nothing to save yet.
"""

import contextlib
import errno
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STDOUT, _STDERR = 1, 2
_SIGNALS = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]  # no HUP: Windows


class Stopped(KeyboardInterrupt):
    """A signal ended the program: why, or "", and the exit code that says which signal: 128 and its number."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Interrupt:
    """The handler of the signals; whether one came, and the exit code that says which.

    Until `begin` there is nothing to be saved, and the first signal raises `Stopped`; after it, the second.
    """

    requested = False
    exit_code = 0

    def __init__(self, *, begun: bool) -> None:
        self._begun = begun

    def begin(self) -> None:
        """From now on there is something to be saved."""
        if self.requested:  # raised where Python drops exceptions, as it does in a destructor
            raise self._nothing_done()
        self._begun = True

    def __call__(self, signum: int, frame: FrameType | None) -> None:
        again, self.requested, self.exit_code = self.requested, True, 128 + signum
        for stream in (_STDOUT, _STDERR):
            _leave_if_gone(stream)
        if not self._begun:
            raise self._nothing_done()
        if again:
            raise Stopped("", self.exit_code)
        hint = b"; press Ctrl-C again to stop at once" if signum == signal.SIGINT else b""
        # Not print: the signal may have come in the middle of one, and Python's streams refuse to be entered twice.
        with contextlib.suppress(OSError):  # closed, or full
            os.write(_STDERR, b"\nstopping after this step" + hint + b"\n")

    def _nothing_done(self) -> Stopped:
        return Stopped("stopped before the first step; the run folder is as it was.", self.exit_code)


def _leave_if_gone(stream: int) -> None:
    """Let what is written to a terminal that is closed go nowhere, instead of being an error that decides the exit."""
    try:
        os.write(stream, b"")
    except OSError as error:
        if error.errno == errno.EIO:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


@contextmanager
def on_interrupt(*, begun: bool = True) -> Iterator[Interrupt]:
    """While inside, the first SIGINT, SIGTERM or SIGHUP sets `requested` and says so, and the next raises `Stopped`.

    With `begun=False` that holds from `Interrupt.begin` on. Inside another `on_interrupt` it is that one's `Interrupt`.
    A signal that is ignored (`nohup`, `&`) stays so. Outside the main thread, where Python allows no signal handlers,
    nothing changes.
    """
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    outer = next((handler for handler in before.values() if isinstance(handler, Interrupt)), None)
    if outer is not None:
        yield outer
        return
    interrupt, main = Interrupt(begun=begun), threading.current_thread() is threading.main_thread()
    heard = {number: handler for number, handler in before.items() if main and handler is not signal.SIG_IGN}
    for number in heard:
        signal.signal(number, interrupt)
    try:
        yield interrupt
    finally:
        for number, handler in heard.items():
            signal.signal(number, handler)
