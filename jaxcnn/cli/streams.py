"""stdout and stderr of the command: any console can show what is written there, and may be closed."""

import codecs
import io
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

CLOSED = 141  # what a shell says of a program that wrote into a closed pipe: 128 and the number of SIGPIPE
_ERRORS = "jaxcnn.console"  # the name of `_as_it_can` among Python's handlers of encoding errors
_LIKE = str.maketrans("×…→—–−’‘“”·•", "x.>---''\"\".*")


@contextmanager
def for_any_console() -> Iterator[None]:
    """Inside, stdout and stderr write what they can't encode as something like it, one character for one.

    So tables stay straight in cp1252 and ASCII. Whoever closes the pipe that we write into (`| head`) wants no more,
    and no complaint either: the command exits with 141. What stderr can't take, being closed or full, is lost, and the
    exit code as it would be.
    """
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:  # closed; else the next file that is opened would get its number
            nowhere = open(os.devnull, "w")  # noqa: SIM115
            os.dup2(nowhere.fileno(), number)
            setattr(sys, name, nowhere)
    streams = [stream for stream in (sys.stdout, sys.stderr) if isinstance(stream, io.TextIOWrapper)]
    for stream in streams:
        stream.reconfigure(errors=_ERRORS)
    try:
        try:
            yield
        finally:
            for stream in streams:
                _flush(stream)  # here, and not in Python's last moments, which print a closed pipe as an error
    except BrokenPipeError:
        for stream in streams:
            _write_nowhere(stream)
        sys.exit(CLOSED)


@contextmanager
def keeping_the_exit_code(stream: TextIO) -> Iterator[None]:
    """Inside, what stderr can't take is lost. An error of stdout, or of a closed pipe, stays one."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError:
        if stream is not sys.stderr:
            raise
        _write_nowhere(stream)


def _flush(stream: TextIO) -> None:
    """What stdout can't take, of a full disk, is an error like any other."""
    try:
        with keeping_the_exit_code(stream):
            stream.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        print_line("error", told(error))
        _write_nowhere(stream)
        sys.exit(2)


def told(error: Exception) -> str:
    """The error in words, also one that the system raised, which Python writes as [Errno 28] and so on."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    if error.filename is not None:
        return f"{in_one_line(str(error.filename))} can't be read or written ({error.strerror})."
    try:
        sys.stdout.flush()
    except OSError:  # what could not be written is still there
        _write_nowhere(sys.stdout)
        return f"stdout can't be written ({error.strerror}); make room there, or send it elsewhere."
    return f"stdout, or a file, can't be read or written ({error.strerror})."


def _write_nowhere(stream: TextIO) -> None:
    """Also what still lies in Python's buffers."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def print_line(kind: str, message: str) -> None:
    """ "warning: ..." or "error: ..." on stderr: one line, whatever the message."""
    line = visible(" ".join(part.strip() for part in f"{kind}: {message}".split("\n")))
    red = kind == "error" and sys.stderr.isatty()
    with keeping_the_exit_code(sys.stderr):
        print(f"\033[31m{line}\033[0m" if red else line, file=sys.stderr)


def in_one_line(text: str) -> str:
    """The text, such as a file's name, with all its control characters as Python writes them, the ends of lines too."""
    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


def visible(text: str) -> str:
    """The text with its control characters as Python writes them, such as \\x1b: none reaches the console.

    Lines may end, and tabs are tabs.
    """
    return "".join(repr(c)[1:-1] if unicodedata.category(c) == "Cc" and c not in "\n\t" else c for c in text)


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
