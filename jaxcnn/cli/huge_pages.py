"""Huge pages for large arrays, which the command asks of glibc for itself: a training step spends less on memory.

XLA gives its activations' memory back after each step and gets it anew, 4 kB at a time where nobody asks for more.
glibc asks Linux for 2 MB at a time if it is told to before it starts, by an environment variable alone.
"""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
ASKING = "glibc.malloc.hugetlb"
ON, OFF = f"GLIBC_TUNABLES={ASKING}=1", f"GLIBC_TUNABLES={ASKING}=0"
# The process that was started anew, so that it is done once, even where the loader drops what glibc is told.
_STARTED = "JAXCNN_STARTED_ANEW"
by_itself = False  # whether this process is one that was


def given() -> Literal["always", "asked", "small", "never"]:
    """What large arrays of this process get: huge pages anyway or since it asked, or small ones, as it didn't ask.

    "never" is where there is nothing to ask: Linux gives none to anybody, it is no Linux, or no glibc from 2.35 on.
    """
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        enabled = ENABLED.read_text()
    except (ValueError, OSError, AttributeError):  # another C library, no Linux, Windows
        return "never"
    if "[always]" in enabled:
        return "always"
    if "[madvise]" not in enabled or name != "glibc" or tuple(map(int, version.split("."))) < (2, 35):
        return "never"
    return "asked" if f"{ASKING}=1" in os.environ.get("GLIBC_TUNABLES", "") else "small"


def ask() -> None:
    """Start this process anew, once, with glibc told to ask for huge pages, where that gains anything.

    It stays the same process: its id, terminal, open pipes and Python's own options are kept. So it must come before
    anything else is done. Nothing happens where GLIBC_TUNABLES decides about huge pages already, where JAX is told to
    leave the CPU alone, and under a debugger or profiler, which would lose its process.
    """
    global by_itself
    if os.environ.pop(_STARTED, "") == str(os.getpid()):
        by_itself = True
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        return
    told = os.environ.get("GLIBC_TUNABLES", "")
    on_cpu = "cpu" in (os.environ.get("JAX_PLATFORMS") or "cpu")
    if ASKING in told or not on_cpu or given() != "small" or _watched() or not sys.executable:
        return
    tunables = ":".join(filter(None, [told, f"{ASKING}=1"]))
    environment: Mapping[str, str] = {**os.environ, "GLIBC_TUNABLES": tunables, _STARTED: str(os.getpid())}
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C waits, while Python would show a traceback
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    except OSError:  # not allowed, or too long an environment: then on small pages
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _watched() -> bool:
    """Whether a debugger, a profiler or a measurement of coverage looks at this process."""
    monitoring = getattr(sys, "monitoring", None)  # Python 3.12 or newer
    tools = any(map(monitoring.get_tool, range(6))) if monitoring else False
    return bool(sys.gettrace() or sys.getprofile() or tools)
