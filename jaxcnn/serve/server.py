"""The server as a process: its socket, slow clients, and its end by a signal."""

import asyncio
import errno
import json
import logging
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from jaxcnn.serve.limits import Limits
from jaxcnn.serve.refusal import Refusal, told

BACKLOG = 512  # connections that the system keeps until the server comes to them


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; at port 0 the system chooses a free one.

    Raises: ValueError where it can't, with what is in its way.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(address, family=family, backlog=BACKLOG)
    except (socket.gaierror, UnicodeError) as error:
        raise ValueError(f"--host is {host}, which is no name or address that is known here.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            in_use = f"--port is {port}, which is in use on {host}; take another, or 0 for any that is free."
            raise ValueError(in_use) from error
        raise ValueError(f"--host is {host}, port {port}: {error.strerror or error}.") from error


def address(host: str, listening: socket.socket) -> str:
    """What one types into a browser."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listening.getsockname()[1]}"


def serve(app: ASGIApp, listening: socket.socket, limits: Limits, ready: Callable[[], None]) -> None:
    """Answer until SIGINT or SIGTERM, and then what has been asked until then; a second signal ends the process.

    Args:
      app: as `create_app` makes it.
      listening: as `bound` gives it.
      limits: for slow clients.
      ready: is called when requests are answered.
    """

    class Patient(_Patient):
        head_seconds, seconds = limits.head_seconds, limits.seconds

    async def within(scope: Scope, receive: Receive, send: Send) -> None:
        open_now = len(server.server_state.connections)
        if scope["type"] == "http" and open_now > limits.connections:
            many = f"{open_now - 1} connections are open already; try again later."
            await Refusal(503, many)(scope, receive, send)
        else:
            await app(scope, receive, send)

    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)  # it tells of every bad form, which is answered
    config = uvicorn.Config(
        within,
        http=Patient,
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="critical",  # what concerns us `Gate` tells
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=int(limits.seconds) + 1,
    )
    server = _Server(config, ready)
    server.run(sockets=[listening])


class _Server(uvicorn.Server):
    """uvicorn's, which would end as if killed by the signal that it was asked to end by."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True
        hint = b"; press Ctrl-C again to stop at once" if sig == signal.SIGINT else b""
        os.write(2, b"\nfinishing what has been asked" + hint + b"\n")


class _Patient(H11Protocol):
    """uvicorn's, with limits to the time in which a request's head comes, and in which the last answer is read."""

    head_seconds: float
    seconds: float
    _late: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()
        self._abort_unread()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._forget()
        if self._unread is not None:
            self._unread.cancel()

    def send_400_response(self, msg: str) -> None:
        """In the form that all errors have; a request whose body turns out to be none is answered by this alone."""
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer has begun
            self.transport.close()
            return
        body = json.dumps(told(400, f"this is no HTTP/1.1: {msg}")).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Connection", "close")]
        answer = [h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()]
        for part in answer:
            self.transport.write(self.conn.send(part) or b"")
        self.transport.close()

    def _watch(self) -> None:
        """A request is at work, or its head must come before its time is over, however many parts it comes in."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget()
        elif self._late is None:
            self._late = self.loop.call_later(self.head_seconds, self.timeout_keep_alive_handler)

    def _forget(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _abort_unread(self, was_closing: bool = False) -> None:
        """End a connection that was closed a while ago and is still there: whoever reads nothing would keep it."""
        if was_closing:
            self.transport.abort()
        else:
            self._unread = self.loop.call_later(self.seconds, self._abort_unread, self.transport.is_closing())
