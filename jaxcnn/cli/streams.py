"""stdout and stderr of the command: any console can show what is written there, and may be closed."""

import codecs
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

CLOSED = 141  # what a shell says of a program that wrote into a closed pipe: 128 and the number of SIGPIPE
_ERRORS = "jaxcnn.console"  # the name of `_as_it_can` among Python's handlers of encoding errors
_LIKE = str.maketrans("×…→—–−’‘“”·•", "x.>---''\"\".*")


@contextmanager
def for_any_console() -> Iterator[None]:
    """Inside, stdout and stderr write what they can't encode as something like it, one character for one.

    So tables stay straight in cp1252 and ASCII. Whoever closes the pipe that we write into (`| head`) wants no more,
    and no complaint either: the command exits with 141.
    """
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    for stream in streams:
        stream.reconfigure(errors=_ERRORS)
    try:
        try:
            yield
        finally:
            for stream in streams:
                stream.flush()  # here, and not in Python's last moments, which print a closed pipe as an error
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in streams:
            os.dup2(nowhere, stream.fileno())  # for what still lies in Python's buffers
        sys.exit(CLOSED)


def _as_it_can(error: UnicodeError) -> tuple[str, int]:
    """Something like what can't be encoded: a line for a line of a table, e for é, else a question mark."""
    assert isinstance(error, UnicodeEncodeError)
    like = "".join(map(_ascii, error.object[error.start : error.end]))
    return like, error.end


def _ascii(character: str) -> str:
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        return "+" if " AND " in name else "|" if name.endswith("VERTICAL") else "-"
    if name.startswith("GREEK SMALL LETTER"):
        return name.split()[3][0].lower()  # d for δ
    plain = unicodedata.normalize("NFKD", character.translate(_LIKE))[0]
    return plain if plain.isascii() else "?"


codecs.register_error(_ERRORS, _as_it_can)
