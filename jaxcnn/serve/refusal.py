"""Answers that say what was wrong with a request: {"error": {"status": 415, "message": "..."}}, always."""

from typing import Any

from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

RETRY_SECONDS = 1


class Refusal(Exception):
    """A request that can't be served: the status of HTTP, and what was seen, what was expected."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def answer(self) -> JSONResponse:
        """Of 503 the connection is closed behind it, since there are too many.

        Others stay open. A body of which not all was read is then thrown away while it comes; closed, the connection
        would be reset, and whoever is still sending would not see the answer.
        """
        headers = {}
        if self.status in (429, 503):
            headers["Retry-After"] = str(RETRY_SECONDS)
        if self.status == 503:
            headers["Connection"] = "close"
        return JSONResponse(told(self.status, self.message), self.status, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it, as an ASGI application."""
        await self.answer()(scope, receive, send)


def told(status: int, message: str) -> dict[str, Any]:
    """The body of an answer that says what is wrong."""
    return {"error": {"status": status, "message": message}}
