"""Kite's REST of the simulated exchange: instruments, session, profile, history."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec

IST = timezone(timedelta(hours=5, minutes=30))
SPANS_DAYS = {"minute": 60, "3minute": 100, "5minute": 100, "10minute": 100, "15minute": 200,
              "30minute": 200, "60minute": 400, "day": 2000}  # fmt: skip
_MINUTES = {"minute": 1, "3minute": 3, "5minute": 5, "10minute": 10, "15minute": 15,
            "30minute": 30, "60minute": 60, "day": 10_000}  # fmt: skip
BODY_MAX = 65_536
REQUEST_TOKEN_S = 300.0

Candle = tuple[int, float, float, float, float, int, int]
"""Start second, open, high, low, close in rupees, volume, open interest."""


class RestData(msgspec.Struct):
    """What the REST server answers from.

    `instruments(exchange)` gives the gzipped dump; `candles(token, from_s, to_s)` minute bars,
    or None for an unknown token; `news()` an RSS document.
    """

    instruments: Callable[[str], bytes]
    candles: Callable[[int, int, int], list[Candle] | None]
    news: Callable[[], bytes]


class Accounts:
    """api_keys and the access tokens that are valid for them."""

    def __init__(self, api_key: str, api_secret: str, access_token: str) -> None:
        self.api_key = api_key
        self._secret = api_secret
        self._tokens = {access_token}
        self._requests: dict[str, float] = {}
        self._lock = threading.Lock()
        self.redirect = ""

    def valid(self, api_key: str, access_token: str) -> bool:
        """Whether a pair may use the exchange."""
        with self._lock:
            return api_key == self.api_key and access_token in self._tokens

    def request(self) -> str:
        """A request token, as after a login in the browser: good once, for some minutes."""
        token = secrets.token_hex(16)
        with self._lock:
            self._requests[token] = time.monotonic()
        return token

    def login(self, api_key: str, request_token: str, checksum: str) -> str | None:
        """A fresh access token for a request token; None where that or the checksum is wrong."""
        wanted = hashlib.sha256(f"{api_key}{request_token}{self._secret}".encode()).hexdigest()
        with self._lock:
            asked_s = self._requests.pop(request_token, None)
            if asked_s is None or time.monotonic() - asked_s > REQUEST_TOKEN_S:
                return None
            if api_key != self.api_key or not secrets.compare_digest(wanted, checksum):
                return None
            token = secrets.token_urlsafe(24)
            self._tokens = {token}
        return token

    def logout(self, access_token: str) -> None:
        """Invalidate a token."""
        with self._lock:
            self._tokens.discard(access_token)


def aggregate(candles: list[Candle], minutes: int) -> list[Candle]:
    """Minute bars as longer ones, anchored at each day's first bar."""
    if minutes == 1:
        return candles
    out: list[Candle] = []
    anchor = 0
    for start, open_, high, low, close, volume, oi in candles:
        if (start + 19_800) // 86_400 != (anchor + 19_800) // 86_400:
            anchor = start
        head = anchor + (start - anchor) // (60 * minutes) * 60 * minutes
        if out and out[-1][0] == head:
            o, h, low_, v = out[-1][1], out[-1][2], out[-1][3], out[-1][5]
            out[-1] = (head, o, max(h, high), min(low_, low), close, v + volume, oi)
        else:
            out.append((head, open_, high, low, close, volume, oi))
    return out


class RestServer:
    """Serves on loopback from threads of its own, until `close`."""

    def __init__(self, port: int, accounts: Accounts, data: RestData,
                 history_per_s: float = 3.0) -> None:  # fmt: skip
        handler = type("Handler", (_Handler,), {
            "accounts": accounts, "data": data, "calls": deque(maxlen=64),
            "history_per_s": history_per_s, "lock": threading.Lock(),
        })  # fmt: skip
        self._server = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, name="exchange-rest", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=2)


class _Handler(BaseHTTPRequestHandler):
    accounts: Accounts
    data: RestData
    calls: deque[float]
    history_per_s: float
    lock: threading.Lock
    protocol_version = "HTTP/1.1"
    timeout = 10
    server_version = "exchange"
    sys_version = ""

    def log_message(self, format: str, *args: Any) -> None:
        """Requests carry secrets: nothing is logged."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        parts = [p for p in url.path.split("/") if p]
        if parts[:1] == ["instruments"] and parts[1:2] != ["historical"] and len(parts) <= 2:
            self._gzip(self.data.instruments(parts[1] if len(parts) == 2 else ""))
        elif parts == ["connect", "login"]:
            self._login_page(parse_qs(url.query))
        elif parts == ["news"]:
            self._send(200, self.data.news(), {"Content-Type": "application/rss+xml"})
        elif not self._authorised():
            self._error(403, "TokenException", "Incorrect `api_key` or `access_token`.")
        elif parts == ["user", "profile"]:
            self._answer(
                {
                    "user_id": "AB1234",
                    "user_name": "Demo Trader",
                    "broker": "ZERODHA",
                    "exchanges": ["NSE", "NFO"],
                    "products": ["CNC", "NRML", "MIS"],
                }
            )
        elif parts[:2] == ["instruments", "historical"] and len(parts) == 4:
            self._history(parts[2], parts[3], parse_qs(url.query))
        else:
            self._error(404, "GeneralException", "Route not found")

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= BODY_MAX:
            self._error(413, "InputException", "Body too large")
            return
        form = parse_qs(self.rfile.read(size).decode("utf-8", "replace"))
        if urlsplit(self.path).path != "/session/token":
            self._error(404, "GeneralException", "Route not found")
            return
        api_key, request_token, checksum = (
            form.get(name, [""])[0] for name in ("api_key", "request_token", "checksum")
        )
        token = self.accounts.login(api_key, request_token, checksum)
        if token is None:
            self._error(403, "TokenException", "Token is invalid or has expired.")
        else:
            now = datetime.now(UTC).astimezone(IST)
            self._answer({"user_id": "AB1234", "api_key": api_key, "access_token": token,
                          "login_time": f"{now:%Y-%m-%d %H:%M:%S}"})  # fmt: skip

    def _login_page(self, query: dict[str, list[str]]) -> None:
        """What a browser meets after its user has logged in: the way back, with a request token."""
        if query.get("api_key", [""])[0] != self.accounts.api_key:
            self._error(400, "InputException", "Invalid `api_key`.")
            return
        back = {"action": "login", "type": "login", "status": "success",
                "request_token": self.accounts.request()}  # fmt: skip
        extra = parse_qs(query.get("redirect_params", [""])[0])
        words = urlencode({**{name: values[0] for name, values in extra.items()}, **back})
        self._send(302, b"", {"Location": f"{self.accounts.redirect}?{words}"})

    def do_DELETE(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.accounts.logout(query.get("access_token", [""])[0])
        self._answer(True)

    def _authorised(self) -> bool:
        found = re.fullmatch(r"token ([^:]+):(.+)", self.headers.get("Authorization", ""))
        return bool(found) and self.accounts.valid(found[1], found[2]) if found else False

    def _history(self, token: str, interval: str, query: dict[str, list[str]]) -> None:
        with self.lock:
            now = time.monotonic()
            recent = [t for t in self.calls if now - t < 1.0]
            if len(recent) >= self.history_per_s:
                self._error(429, "NetworkException", "Too many requests")
                return
            self.calls.append(now)
        try:
            from_s, to_s = (self._time(query[name][0]) for name in ("from", "to"))
        except (KeyError, ValueError):
            self._error(400, "InputException", "invalid from or to date")
            return
        if interval not in _MINUTES or not token.isdigit():
            self._error(400, "InputException", "invalid token or interval")
            return
        if to_s - from_s > SPANS_DAYS[interval] * 86_400:
            self._error(400, "InputException",
                        f"interval exceeds max limit: {SPANS_DAYS[interval]} days")  # fmt: skip
            return
        candles = self.data.candles(int(token), from_s, to_s)
        if candles is None:
            self._error(400, "InputException", "invalid token")
            return
        with_oi = query.get("oi", ["0"])[0] == "1"
        rows = []
        for start, *prices, volume, oi in aggregate(candles, _MINUTES[interval]):
            at = datetime.fromtimestamp(start, IST)
            row = [f"{at:%Y-%m-%dT%H:%M:%S}+0530", *prices, volume]
            rows.append([*row, oi] if with_oi else row)
        self._answer({"candles": rows})

    @staticmethod
    def _time(text: str) -> int:
        form = "%Y-%m-%d %H:%M:%S" if ":" in text else "%Y-%m-%d"
        return int(datetime.strptime(text, form).replace(tzinfo=IST).timestamp())

    def _answer(self, data: Any) -> None:
        self._send(200, json.dumps({"status": "success", "data": data}).encode(), {})

    def _error(self, status: int, kind: str, message: str) -> None:
        body = {"status": "error", "message": message, "error_type": kind, "data": None}
        self._send(status, json.dumps(body).encode(), {})

    def _gzip(self, data: bytes) -> None:
        self._send(200, data, {"Content-Encoding": "gzip", "Content-Type": "text/csv"})

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
