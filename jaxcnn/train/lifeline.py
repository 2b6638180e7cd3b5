"""A connection from each process of a run to process 0, which ends when one of the two does.

A collective would wait for a process that is gone; JAX notices by heartbeats, after a while, and aborts. The kernel
closes the connections of a process that is killed at once, and those to a machine that is gone after half a minute.
Whoever sees that ends, so that the others do. A process that ends by an error says so before: the others may be about
to end by the same one, and are given the time.
"""

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

GONE = 3  # the exit code of a process that another has left
NOTICED = 5.0  # seconds after which an end has been noticed, where the machine is still there
_over = threading.Event()  # from here on a process may end without the others
_watched: dict[socket.socket, threading.Thread] = {}


def hold(processes: int) -> str:
    """For process 0: wait for the others in a thread. Returns what they need to know, for `take`."""
    both = socket.has_dualstack_ipv6()
    server = socket.create_server(
        ("", 0), family=socket.AF_INET6 if both else socket.AF_INET, backlog=processes, dualstack_ipv6=both
    )
    token = secrets.token_hex(16)
    _thread(_accept, server, token, processes).start()
    return f"{server.getsockname()[1]} {token}"


def take(process: int, host: str, told: str) -> None:
    """For all other processes: connect with process 0."""
    port, token = told.split()
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(f"{token} {process:08d}".encode())
    _hang_on(connection, 0)


def let_go() -> None:
    """From now on a process may end without the others."""
    _over.set()


def fail(process: int) -> None:
    """Tell the others that this one ends by an error.

    Process 0 returns when they have ended, or don't: JAX aborts those that it leaves.
    """
    let_go()
    for connection in _watched:
        with suppress(OSError):
            connection.sendall(b"!")
    patience = time.monotonic() + 2 * NOTICED
    for thread in _watched.values():
        if process == 0 and thread is not threading.current_thread():
            thread.join(max(0.0, patience - time.monotonic()))


def _thread(function: Callable[..., None], *arguments: Any) -> threading.Thread:
    return threading.Thread(target=function, args=arguments, daemon=True)


def _accept(server: socket.socket, token: str, processes: int) -> None:
    while len(_watched) < processes - 1:
        connection, _ = server.accept()
        connection.settimeout(60)
        with suppress(OSError):
            hello = connection.recv(len(token) + 9, socket.MSG_WAITALL).decode(errors="replace")
            if secrets.compare_digest(hello[: len(token)].encode(), token.encode()):  # nobody else who came by
                _hang_on(connection, int(hello[len(token) :]))
                continue
        connection.close()


def _hang_on(connection: socket.socket, process: int) -> None:
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    _watched[connection] = _thread(_watch, connection, process)
    _watched[connection].start()


def _watch(connection: socket.socket, process: int) -> None:
    failed = _next(connection)
    if failed:
        _over.wait(NOTICED)
    if not _over.is_set():
        with suppress(Exception):
            sys.stdout.flush()
        line = f"error: process {process} of the run is gone; its own output may say why. Start all of them again with "
        with suppress(OSError):
            os.write(2, f"{line}--resume.\n".encode())
        fail(1 if process == 0 else 0)
        os._exit(GONE)
    if failed:
        _next(connection)


def _next(connection: socket.socket) -> bytes:
    """What the other one says; nothing when it is gone."""
    try:
        return connection.recv(1)
    except OSError:
        return b""
