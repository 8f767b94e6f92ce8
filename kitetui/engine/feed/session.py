"""Kite's protocol without sockets and clocks: subscriptions, liveness, reconnects, refusals.

A driver tells a `Connection` what happened and when (monotonic ns) and asks `step` what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from urllib.parse import quote

import msgspec
import orjson

from kitetui.secret import Secret
from kitetui.settings import FeedSettings

NS = 1_000_000_000
SUBSCRIBE_CHUNK = 1000
"""Tokens per message, so that a control message stays small."""
STEADY_NS = 5_000_000_000
"""A connection that was LIVE for so long begins with the shortest wait when it is lost."""


class LinkState(StrEnum):
    """Where a connection stands."""

    CONNECTING = "CONNECTING"
    LIVE = "LIVE"
    STALE = "STALE"
    RECONNECTING = "RECONNECTING"
    AUTH_EXPIRED = "AUTH_EXPIRED"
    REFUSED = "REFUSED"
    CLOSED = "CLOSED"


class Do(StrEnum):
    """What the driver should do now."""

    CONNECT = "connect"
    ABORT = "abort"
    WAIT = "wait"


def sharded(modes: Mapping[int, str], connections: int,
            per_connection: int) -> list[dict[int, str]]:  # fmt: skip
    """Tokens and their modes per connection, in order, on as few connections as will do.

    Raises:
        ValueError: more tokens than the connections can carry.
    """
    if len(modes) > connections * per_connection:
        raise ValueError(
            f"{len(modes)} instruments are more than {connections} connections of "
            f"{per_connection}; shorten feed.instruments"
        )
    items = list(modes.items())
    return [
        dict(items[at : at + per_connection]) for at in range(0, len(items), per_connection)
    ] or [{}]


def subscribe_messages(shard: dict[int, str]) -> list[str]:
    """Subscribe and mode for every token: the server's default mode is never relied on."""
    out = [_message("subscribe", part) for part in _chunks(list(shard))]
    for mode in dict.fromkeys(shard.values()):
        tokens = [token for token, wanted in shard.items() if wanted == mode]
        out.extend(_message("mode", [mode, part]) for part in _chunks(tokens))
    return out


def unsubscribe_messages(tokens: Sequence[int]) -> list[str]:
    """What ends the sending of tokens."""
    return [_message("unsubscribe", part) for part in _chunks(tokens)]


def connect_url(base: str, api_key: str, access_token: Secret) -> Secret:
    """The WebSocket URL with its credentials, encoded: a raw '+' in a token gives HTTP 400."""
    joint = "&" if "?" in base else "?"
    return Secret(
        f"{base}{joint}api_key={quote(api_key, safe='')}"
        f"&access_token={quote(access_token.reveal(), safe='')}"
    )


class TextFrame(msgspec.Struct, frozen=True):
    """A text frame's meaning: its type, and what it says where that is plain text."""

    type: str
    text: str = ""


KNOWN_TEXT_TYPES = frozenset({"order", "error", "message", "instruments_meta", "app_code", "ping"})


def read_text(payload: bytes) -> TextFrame:
    """The type of a text frame; `unreadable` for anything that is not JSON with a type."""
    try:
        data = orjson.loads(payload)
    except orjson.JSONDecodeError:
        return TextFrame("unreadable")
    if not isinstance(data, dict) or not isinstance(data.get("type"), str):
        return TextFrame("unreadable")
    kind = data["type"] if data["type"] in KNOWN_TEXT_TYPES else "unknown"
    said = data.get("data")
    return TextFrame(kind, said[:512] if isinstance(said, str) else "")


class Connection:
    """The state of one WebSocket to the ticker.

    Attributes:
        state: where it stands; `reason` says why, without secrets.
        attempts: handshakes since it last was LIVE for a while.
        reconnects: times it became LIVE again after having been LIVE before.
    """

    def __init__(self, settings: FeedSettings, shard: dict[int, str]) -> None:
        self._settings = settings
        self.shard = shard
        self.state = LinkState.CONNECTING
        self.reason = "starting"
        self.attempts = 0
        self.reconnects = 0
        self.last_frame_ns = 0
        self._retry_ns = 0
        self._open = False
        self._dialling = False
        self._was_live = False
        self._live_ns = 0

    def step(self, now_ns: int) -> tuple[Do, float]:
        """What to do now, and for how many seconds to wait before asking again."""
        if self.state in (LinkState.CLOSED, LinkState.AUTH_EXPIRED):
            return Do.WAIT, 1.0
        if self._open:
            quiet_s = (now_ns - self.last_frame_ns) / NS
            if quiet_s >= self._settings.stale_after_s:
                self.state = LinkState.STALE
                self.reason = f"no frame for {quiet_s:.1f} s"
                return Do.ABORT, 0.0
            return Do.WAIT, min(self._settings.stale_after_s - quiet_s, 0.5)
        if self._dialling or now_ns < self._retry_ns:
            return Do.WAIT, max(min((self._retry_ns - now_ns) / NS, 0.5), 0.01)
        return Do.CONNECT, 0.0

    def dialled(self, now_ns: int) -> None:
        """A handshake begins."""
        self.attempts += 1
        self._dialling = True

    def opened(self, now_ns: int) -> list[str]:
        """The handshake succeeded: the messages to send. It is LIVE at its first frame."""
        self._dialling = False
        self._open = True
        self.last_frame_ns = now_ns
        return subscribe_messages(self.shard)

    def received(self, now_ns: int) -> bool:
        """Any frame proves the socket alive. True when this one made it LIVE."""
        self.last_frame_ns = now_ns
        if self.state is LinkState.LIVE:
            return False
        self.reconnects += self._was_live
        self._was_live = True
        self._live_ns = now_ns
        self.state, self.reason = LinkState.LIVE, ""
        return True

    def lost(self, now_ns: int, reason: str, jitter: float) -> None:
        """The socket closed or the handshake failed; `jitter` in [0, 1) spreads the return."""
        lived = self.state in (LinkState.LIVE, LinkState.STALE)
        if lived and now_ns - self._live_ns >= STEADY_NS:
            self.attempts = 0  # one that comes and goes is not hammered
        wait_s = min(
            self._settings.backoff_min_s * 2 ** min(self.attempts, 16),
            self._settings.backoff_max_s,
        ) * (0.5 + 0.5 * jitter)
        self._ended(now_ns, LinkState.RECONNECTING, reason, wait_s)

    def refused(self, now_ns: int, status: int, jitter: float) -> None:
        """The server answered the handshake with an HTTP status other than 101."""
        if status == 403:
            self._ended(
                now_ns,
                LinkState.AUTH_EXPIRED,
                "403: the access token is invalid or expired; log in again",
                0.0,
            )
        elif status == 400:
            self._ended(
                now_ns,
                LinkState.AUTH_EXPIRED,
                "400: api_key or access token missing or badly encoded",
                0.0,
            )
        elif status == 429:
            self._ended(
                now_ns,
                LinkState.REFUSED,
                "429: another session uses this api_key (3 connections at most)",
                self._settings.refused_wait_s * (0.75 + 0.5 * jitter),
            )
        else:
            self.lost(now_ns, f"HTTP {status} at the handshake", jitter)

    def credentials_changed(self) -> None:
        """Credentials were renewed: an expired connection may try again at once."""
        if self.state is LinkState.AUTH_EXPIRED:
            self.state, self.reason = LinkState.RECONNECTING, "new credentials"
            self._retry_ns = 0
            self.attempts = 0

    def close(self) -> None:
        """Stop for good."""
        self.state, self.reason = LinkState.CLOSED, "stopped"
        self._open = False

    def _ended(self, now_ns: int, state: LinkState, reason: str, wait_s: float) -> None:
        self._open = False
        self._dialling = False
        if self.state is LinkState.CLOSED:
            return
        self.state, self.reason = state, reason
        self._retry_ns = now_ns + int(wait_s * NS)


def _chunks(tokens: Sequence[int]) -> list[list[int]]:
    return [
        list(tokens[at : at + SUBSCRIBE_CHUNK]) for at in range(0, len(tokens), SUBSCRIBE_CHUNK)
    ]


def _message(action: str, value: object) -> str:
    return orjson.dumps({"a": action, "v": value}).decode()
