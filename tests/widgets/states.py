"""The states that a screen can be in, as pictures without an engine."""

from __future__ import annotations

import msgspec

from kitetui.engine import snapshot as view
from kitetui.engine.health.server import ServerStats
from tests.widgets import views

STATES = {
    "empty": "nothing came yet: what to press, and what is waited for",
    "live": "all is well",
    "stale": "connected, and nothing comes: dimmed, kept, aged",
    "lost": "the connection is gone, Redis as well: what is spooled, what is tried",
    "expired": "the access token is refused: what to do",
    "closed": "after the session: the last book, with its time",
    "quote": "no depth in this mode, an index, one side only",
    "replay": "a recording is played",
    "flood": "more alerts than a person can act on",
}
"""Each with what is to be seen."""


def picture(state: str, live: view.Snapshot) -> view.Snapshot:
    """A state, made from a live picture."""
    change = msgspec.structs.replace
    if state == "empty":
        return change(
            live, header=views.header(state="CONNECTING", reason="logging in", ticks_per_s=0.0,
                                      unacked=0, alerts=0, links=()),
            watch=(), watch_total=0, watch_all=0, depth=None, buckets=(), streams=(), groups=(),
            alerts=(), events=(), news=(), board=(), chart=None, chain=None,
            ingestion=view.Ingestion(), servers=(), publication=view.Publication(),
            flood=view.Flood(),
        )  # fmt: skip
    if state == "stale":
        return change(
            _aged(live, 42.0), header=views.header(state="STALE", reason="no frame for 42 s",
                                                   frame_age_s=42.0, ticks_per_s=0.0),
            streams_age_s=9.0,
        )  # fmt: skip
    if state == "lost":
        down = view.Publication("lean", "down", "Connection refused", 10_000, 48_211, 0, 0, 0, 1.0,
                                90.0, 12.5)  # fmt: skip
        return change(
            _aged(live, 12.0), publication=down, streams_error="Connection refused",
            streams_age_s=12.0, servers=(view.Server(views.SERVER, ServerStats(),
                                                     "Connection refused"),),
            header=views.header(
                state="RECONNECTING", reason="1006: try 3 in 4 s", redis_state="down",
                redis_reason="Connection refused", spooled=48_211, gaps=1, max_lag=None,
                links=(view.Link(0, "RECONNECTING", "1006: try 3 in 4 s"),), urgent=1, unacked=3,
                journal="No space left on device", notify="telegram waits: 3 to send",
            ),
        )  # fmt: skip
    if state == "expired":
        return change(_aged(live, 300.0), header=views.header(
            state="AUTH_EXPIRED", reason="403: TokenException", ticks_per_s=0.0, simulated=False,
            links=(view.Link(0, "AUTH_EXPIRED", "403: TokenException"),),
        ))  # fmt: skip
    if state == "closed":
        return change(live, header=views.header(market="NSE CLOSED", state="CLOSED",
                                                reason="until 09:00", ticks_per_s=0.0))  # fmt: skip
    if state == "quote":
        assert live.depth is not None
        bare = change(live.depth, mode="quote", bids=(), asks=())
        return change(live, depth=bare, chain=None)
    if state == "replay":
        return change(live, header=views.header(source="replay", state="PAUSED", simulated=False,
                                                reason="10x"))  # fmt: skip
    if state == "flood":
        flood = view.Flood(active=True, since_s=int(views.NOW_S) - 240, pending=31, held=412,
                           told=10, urgent=2, digests=4, overflowed=0,
                           minutes=tuple((n, 300 + 90 * n, 40, 2) for n in range(8)))  # fmt: skip
        many = tuple(views.alert(n) for n in range(40))
        return change(live, flood=flood, alerts=many,
                      header=views.header(unacked=40, urgent=2, alerts=40))  # fmt: skip
    return live


def _aged(live: view.Snapshot, age_s: float) -> view.Snapshot:
    """The same, so much later without a tick."""
    depth = None if live.depth is None else msgspec.structs.replace(
        live.depth, age_s=age_s, stale=True)  # fmt: skip
    watch = tuple(msgspec.structs.replace(row, age_s=age_s, stale=True) for row in live.watch)
    return msgspec.structs.replace(live, depth=depth, watch=watch)
