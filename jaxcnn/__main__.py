"""The `jaxcnn` command, also as `python -m jaxcnn`."""

import contextlib
import os
import signal
from typing import Any, NoReturn

CTRL_C = 130  # what a shell says of a program that Ctrl-C ended: 128 and the number of SIGINT


def command() -> None:
    """What a shell starts, as a process of its own. From Python it is `jaxcnn.cli.main.main`, which starts nothing.

    Ctrl-C ends it without a traceback, whenever it is pressed: also before `main` listens, for a second of imports,
    and after it, while Python ends.
    """
    if heard := signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as by `nohup`
        signal.signal(signal.SIGINT, _stop)
    from jaxcnn.cli import huge_pages

    huge_pages.ask()
    try:
        from jaxcnn.cli.main import main

        if heard:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        main()
    except KeyboardInterrupt:  # in main's first or last lines
        _stop()
    finally:
        if heard:
            signal.signal(signal.SIGINT, _stop)


def _stop(*_: Any) -> NoReturn:
    """End the process here: an exception might be lost in a library that is being imported."""
    with contextlib.suppress(OSError):  # stderr is closed, or full
        os.write(2, b"error: stopped.\n")
    os._exit(CTRL_C)


if __name__ == "__main__":
    command()
