"""`kitetui web`: an attached screen in a browser on this machine, by textual-serve.

textual-serve lets in whoever reaches its port. Here nobody is let in without the key of the printed
address, which a cookie then carries: neither another user of this machine, nor a page of another
site, which could otherwise open a WebSocket to loopback.
"""

from __future__ import annotations

import hmac
import logging
import secrets
import shlex
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from urllib.parse import urlsplit

import click
from aiohttp import web
from aiohttp.web_exceptions import HTTPForbidden, HTTPServiceUnavailable
from textual_serve.server import Server

HOSTS = ("127.0.0.1", "localhost", "::1")
COOKIE = "kitetui"
VISITORS_MAX = 4
"""Each is a process with a screen."""
_POLICY = ("default-src 'self'; connect-src 'self' ws:; img-src 'self' data:; "
           "script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
           "frame-ancestors 'none'")  # fmt: skip
_asked_by: ContextVar[str] = ContextVar("asked_by")
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class WebScreen(Server):
    """Serves one command to browsers that know the key.

    Attributes:
        key: what the address holds.
    """

    def __init__(self, command: list[str], port: int) -> None:
        self.key = secrets.token_urlsafe(24)
        self._cookie = f"{COOKIE}-{secrets.token_hex(4)}"
        self._session = secrets.token_urlsafe(24)
        self._visitors = 0
        super().__init__(
            shlex.join(command), host="127.0.0.1", port=port, title="kitetui",
            public_url="", templates_path=Path(__file__).with_name("web_page"),
        )  # fmt: skip

    @property
    def public_url(self) -> str:
        """The address as the browser knows it: a tunnel may give it another port."""
        return f"http://{_asked_by.get('')}"

    @public_url.setter
    def public_url(self, _: str) -> None:
        """It is told by each request."""

    def initialize_logging(self) -> None:
        """Only what is wrong is told: request lines hold the key."""
        logging.basicConfig(level=logging.WARNING, format="kitetui web: %(message)s")

    async def on_startup(self, app: web.Application) -> None:
        """Say where it is."""
        click.echo(f"kitetui: open http://127.0.0.1:{self.port}/?key={self.key}\n"
                   "The key is good until this ends (ctrl+c); who has it sees the screen.\n"
                   f"From elsewhere: ssh -L {self.port}:127.0.0.1:{self.port} HOST, then the same "
                   "address there.")  # fmt: skip

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._let_in)
        return app

    @web.middleware
    async def _let_in(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Only from this machine's own names, with the key, and from no other site's page."""
        host = urlsplit(f"//{request.host}").hostname or ""
        origin = request.headers.get("Origin")
        if host not in HOSTS or (origin is not None and urlsplit(origin).netloc != request.host):
            raise HTTPForbidden(text="not from there")
        given = request.query.get("key", "")
        if request.path == "/" and given:
            _check(given, self.key)
            answer = web.Response(status=302, headers={"Location": "/"})
            answer.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict")
            return answer
        _check(request.cookies.get(self._cookie, ""), self._session)
        _asked_by.set(request.host)
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = _POLICY
            response.headers["Referrer-Policy"] = "no-referrer"
        return response

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """A screen for a browser, while there is room."""
        if self._visitors >= VISITORS_MAX:
            raise HTTPServiceUnavailable(text=f"{VISITORS_MAX} screens are open already")
        self._visitors += 1
        try:
            return await super().handle_websocket(request)
        finally:
            self._visitors -= 1


def _check(given: str, wanted: str) -> None:
    if not hmac.compare_digest(given.encode(), wanted.encode()):
        raise HTTPForbidden(text="open the address that `kitetui web` printed: it has the key")
