"""`kitetui login`: from nothing to today's access token, with a browser here or elsewhere."""

from __future__ import annotations

import getpass
import hmac
import os
import queue
import secrets
import sys
import threading
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import click

from kitetui.cli.options import EXIT_AUTH, EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.calendar import ist
from kitetui.engine.feed import credentials
from kitetui.engine.feed.credentials import CredentialsError
from kitetui.engine.feed.login import LoginRefused, exchange_token, login_url, request_token
from kitetui.engine.feed.rest import RestError
from kitetui.places import Places
from kitetui.private_file import read_private, replace_private
from kitetui.secret import Secret
from kitetui.settings import Settings

WAIT_S = 300.0
SECRET_MAX = 256
_DONE = (b"<!doctype html><meta charset=utf-8><title>kitetui</title>"
         b"<p style='font:18px monospace'>Logged in. Go back to the terminal.")  # fmt: skip


def login(settings: Settings, where: Places, *, api_key: str, browser: bool,
          pasted: str, keep_secret: bool) -> int:  # fmt: skip
    """Log in and store the token; the exit code.

    Args:
        pasted: a request token, or the address that holds it; '' waits for the browser, or for
            somebody who pastes it.
    """
    key = api_key or _known_key(where) or _asked("api_key (of developers.kite.trade): ")
    secret, asked = _secret(where)
    try:
        token = request_token(pasted) if pasted else _wait(settings, key, browser=browser)
        found = exchange_token(settings.feed.rest_url, key, secret, token)
    except LoginRefused as error:
        fail(EXIT_AUTH, str(error))
    except RestError as error:
        fail(EXIT_UNAVAILABLE, f"Kite cannot be asked: {error}")
    try:
        credentials.write(where.credentials, found)
        if asked and keep_secret:
            replace_private(where.secret, secret.reveal().encode())
    except OSError as error:
        fail(EXIT_CONFIG, f"{where.credentials}: cannot be written: {error.strerror}")
    until = ist(credentials.good_until_s(found.minted_s))
    click.echo(f"logged in; the token is good until {until:%a %H:%M} IST. A running engine takes "
               "it by itself.")  # fmt: skip
    return 0


def _known_key(where: Places) -> str:
    """The api_key of the last login, or of the environment."""
    try:
        return credentials.read(where.credentials).api_key
    except CredentialsError as error:
        if where.credentials.exists():
            fail(EXIT_CONFIG, str(error))
        return os.environ.get("KITE_API_KEY", "")


def _secret(where: Places) -> tuple[Secret, bool]:
    """The api_secret: a private file's, the environment's, the keyring's, or asked for.

    Returns:
        It, and whether it was asked for.
    """
    try:
        return Secret(read_private(where.secret, SECRET_MAX).decode().strip()), False
    except FileNotFoundError:
        pass
    except (OSError, UnicodeDecodeError) as error:
        fail(EXIT_CONFIG, f"{where.secret}: cannot be used: {getattr(error, 'strerror', error)}")
    if given := os.environ.get("KITE_API_SECRET", ""):
        return Secret(given), False
    if ringed := _from_keyring():
        return ringed, False
    if not sys.stdin.isatty():
        fail(EXIT_AUTH, f"the api_secret is needed: in {where.secret} (mode 0600), in "
                        "KITE_API_SECRET, in the keyring (kitetui, api_secret), or typed at a "
                        "terminal")  # fmt: skip
    return Secret(getpass.getpass("api_secret (not shown): ").strip()), True


def _from_keyring() -> Secret | None:
    """What the system's keyring holds, where the package `keyring` is installed."""
    try:
        import keyring

        found = keyring.get_password("kitetui", "api_secret")
    except Exception:  # noqa: BLE001 - a keyring that is absent, locked or broken is none
        return None
    return Secret(found) if found else None


def _asked(question: str) -> str:
    if not sys.stdin.isatty():
        fail(EXIT_AUTH, "the api_key is needed: give --api-key, or KITE_API_KEY")
    return input(question).strip() or fail(EXIT_AUTH, "no api_key, no login")


def _wait(settings: Settings, api_key: str, *, browser: bool) -> str:
    """The request token, from the browser's redirect or a pasted line, whichever comes first.

    Raises:
        LoginRefused: what came is none, or nothing came.
    """
    state = secrets.token_urlsafe(16)
    url = login_url(settings.login.url, api_key, state)
    found: queue.Queue[str] = queue.Queue()
    server = _listen(settings.login.port, state, found)
    try:
        click.echo(f"open this address and log in:\n\n  {url}\n")
        if server is not None:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            click.echo(f"The redirect to http://127.0.0.1:{settings.login.port}/ is waited for. "
                       "Where the browser is on another machine, paste the address that it ended "
                       "at:")  # fmt: skip
        else:
            click.echo(f"Port {settings.login.port} is taken: paste the address that the browser "
                       "ended at:")  # fmt: skip
        if browser and not os.environ.get("SSH_CONNECTION"):
            webbrowser.open(url)
        threading.Thread(target=_read_line, args=(found,), daemon=True).start()
        return request_token(found.get(timeout=WAIT_S))
    except queue.Empty:
        raise LoginRefused(f"nobody logged in within {WAIT_S / 60:.0f} minutes") from None
    finally:
        if server is not None:
            server.shutdown()
            server.server_close()


def _read_line(found: queue.Queue[str]) -> None:
    if line := sys.stdin.readline().strip():
        found.put(line)


def _listen(port: int, state: str, found: queue.Queue[str]) -> HTTPServer | None:
    """A server on loopback for the redirect; None where the port is taken."""

    class Redirect(BaseHTTPRequestHandler):
        """Takes the one request that has the state that we gave."""

        timeout = 10

        def log_message(self, format: str, *args: object) -> None:
            """Requests carry tokens: nothing is logged."""

        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            ours = hmac.compare_digest(query.get("state", [""])[0].encode(), state.encode())
            self.send_response(200 if ours else 403)
            body = _DONE if ours else b"not the login that was asked for"
            for name, value in (("Content-Type", "text/html; charset=utf-8"),
                                ("Content-Length", str(len(body))),
                                ("Referrer-Policy", "no-referrer")):  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            if ours:
                found.put(self.path)

    try:
        return HTTPServer(("127.0.0.1", port), Redirect)
    except OSError:
        return None
