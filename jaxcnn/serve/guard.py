"""Who may ask: no page of another site, and no name that its owner lets point here (DNS rebinding)."""

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from jaxcnn.serve.refusal import Refusal


class Guard:
    """Lets requests through whose Host is known, and whose Origin, if they have one, is that Host."""

    def __init__(self, app: ASGIApp, hosts: Collection[str], any_address: bool) -> None:
        """Of `hosts`, names and addresses, and with `any_address` of all addresses, whose owner no one else can be."""
        self._app, self._hosts, self._any_address = app, hosts, any_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refused(Headers(scope=scope)) if scope["type"] == "http" else None
        await (refusal or self._app)(scope, receive, send)

    def _refused(self, headers: Headers) -> Refusal | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._is_known(host):
            expected = ", ".join(sorted(self._hosts))
            return Refusal(
                421, f"the Host is {host!r:.80}; expected {expected}. Start jaxcnn serve with --allow-host for another."
            )
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            return Refusal(403, f"the request is of a page of {origin!r:.80}; expected one of {host!r:.80}, or none.")
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or (self._any_address and _is_address(name))


def hosts(bound: str, allowed: Collection[str]) -> tuple[set[str], bool]:
    """What `Guard` takes for a server that is bound to this name or address: its hosts, and whether any address is one.

    `allowed` are further names.
    """
    known = {bound.lower(), *(name.lower() for name in allowed)}
    if is_loopback(bound):
        return known | {"localhost", "127.0.0.1", "::1"}, False
    return known | {"localhost"}, True


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
