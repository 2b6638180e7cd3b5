"""Through which every request comes and every answer goes: their number, their time, and what browsers may do."""

import asyncio
import logging
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jaxcnn.serve.limits import Limits
from jaxcnn.serve.metrics import SECONDS, Counter, Histogram
from jaxcnn.serve.refusal import Refusal

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# Swagger UI starts by a script in its page, and writes styles. Nothing of users stands in it.
_POLICY_OF_DOCS = _POLICY.replace("-src 'self';", "-src 'self' 'unsafe-inline';", 2)
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Gate:
    """Limits how many requests are at work and how long each is, counts them, and answers what nobody foresaw."""

    def __init__(self, app: ASGIApp, limits: Limits, counted: "Counted", paths: frozenset[str]) -> None:
        """`paths` are those that are counted by their names; all others are "other"."""
        self._app, self._limits, self._counted, self._paths = app, limits, counted, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # answered like GET; the server that calls leaves the body out
            scope = {**scope, "method": "GET"}
        status, start = 0, time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                headers.update(_HEADERS)
                headers["Content-Security-Policy"] = _POLICY_OF_DOCS if scope["path"] == "/docs" else _POLICY
            await send(message)

        try:
            async with asyncio.timeout(self._limits.seconds):
                await self._admitted(scope, receive, answer)
        except TimeoutError:
            if status == 0:
                late = f"the answer was not there after {self._limits.seconds:g} seconds; try again later."
                await Refusal(504, late)(scope, receive, answer)
        except Exception:
            logging.getLogger("jaxcnn.serve").exception("%s %s failed", scope["method"], scope["path"])
            if status == 0:
                await Refusal(500, "the server failed; its own output says why.")(scope, receive, answer)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._counted.requests.add(path=path, status=str(status))
            self._counted.seconds.observe(time.perf_counter() - start, path=path)

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
        elif self._counted.at_work >= self._limits.requests:
            many = f"{self._limits.requests} requests are at work already; try again later."
            await Refusal(429, many)(scope, receive, send)
        else:
            self._counted.at_work += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._counted.at_work -= 1


class Counted:
    """The metrics of requests, and how many with pictures are at work."""

    def __init__(self) -> None:
        self.at_work = 0
        self.requests = Counter("jaxcnn_requests_total", "Requests that were answered, by path and status.")
        self.seconds = Histogram("jaxcnn_request_seconds", "Time from a request's head to its answer's end.", SECONDS)
