"""The states that a screen can be in, as pictures without an engine."""

from __future__ import annotations

import msgspec

from kitetui.engine import snapshot as view
from kitetui.engine.alerts.alert import Alert, Priority
from kitetui.engine.health.server import ServerStats
from tests.widgets import views

STATES = {
    "empty": "nothing came yet: what to press, and what is waited for",
    "live": "all is well",
    "stale": "connected, and nothing comes: dimmed, kept, aged",
    "lost": "the connection is gone, Redis as well: what is spooled, what is tried",
    "expired": "the access token is refused: what to do",
    "closed": "after the session: the last book, with its time",
    "quote": "no depth in this mode, no options",
    "circuit": "nobody sells: the book has one side",
    "frozen": "all panes are held still while the engine goes on",
    "replay": "a recording is played",
    "flood": "more alerts than a person can act on",
}
"""Each with what is to be seen."""


NOW = int(views.NOW_S)
NEWS = (
    view.NewsItem(at_s=NOW - 120, title="Reliance Industries shares surge as profit beats hopes",
                  source="wire", link="", symbols=("RELIANCE",), sentiment=0.6),
    view.NewsItem(at_s=NOW - 900, title="Banks slip as the regulator tightens rules on loans",
                  source="wire", link="", symbols=("HDFCBANK", "SBIN"), sentiment=-0.5),
    view.NewsItem(at_s=NOW - 2400, title="Exchange tells of a change of lot sizes",
                  source="exchange", link="", symbols=(), sentiment=0.0),
)  # fmt: skip
BOARD = (
    views.board_line(),
    views.board_line(pattern="volume_spike", timeframe="1m", n=1204, independent=611, hits=470,
                     rate=0.39, low=0.36, high=0.42, null=0.4, lift=0.975, p_value=0.7,
                     notable=False, expectancy_r=-0.06, expectancy_low=-0.12, expectancy_high=0.01),
    views.board_line(pattern="reversal", timeframe="5m", n=41, independent=33, hits=22, rate=0.537,
                     low=0.38, high=0.69, null=0.41, lift=1.31, p_value=0.08, notable=False,
                     claim=False),
)  # fmt: skip
INGESTION = view.Ingestion(
    (view.Stage("received to derived", 20.4, 31.0, 41.0, 88.2,
                (0, 4, 80, 310, 900, 80, 6, 0, 0, 0)),
     view.Stage("loop behind", 0.8, 2.1, 4.0, 31.5, (700, 200, 80, 12, 4, 1, 0, 0, 0, 0)),
     view.Stage("to Redis", 24.0, 38.2, 61.0, 120.4, (0, 0, 12, 90, 720, 900, 60, 2, 0, 0))),
    (("frames", 4_120), ("ticks", 10_000), ("duplicates", 31), ("late", 2), ("rejected", 0)),
    ("09:31:02 to 09:31:09  reconnect, 90 instruments, 41,200 shares missed",),
)  # fmt: skip
EVENTS = (
    view.Event(NOW, "ws0", "LIVE"),
    view.Event(NOW - 40, "alert", "SYM0 volume_spike 1m up"),
    view.Event(NOW - 41, "backfill", "7 minutes of 90 instruments came from history"),
    view.Event(NOW - 60, "redis", "ok valkey 9.1.2"),
)


def furnished(live: view.Snapshot) -> view.Snapshot:
    """A live picture with something in every pane."""
    return msgspec.structs.replace(live, news=NEWS, board=BOARD, ingestion=INGESTION, events=EVENTS)


def picture(state: str, live: view.Snapshot) -> view.Snapshot:
    """A state, made from a live picture."""
    change = msgspec.structs.replace
    if state == "empty":
        return change(
            live, header=views.header(state="CONNECTING", reason="logging in", ticks_per_s=0.0,
                                      unacked=0, alerts=0, links=(), subscribed=0, max_lag=None,
                                      latency_p50_ms=0.0, latency_p99_ms=0.0,
                                      redis_state="connecting"),
            watch=(), watch_total=0, watch_all=0, depth=None, buckets=(), streams=(), groups=(),
            alerts=(), events=(), news=(), board=(), chart=None, chain=None,
            ingestion=view.Ingestion(), servers=(), publication=view.Publication(
                "lean", "connecting"),
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
            alerts=_waiting(3, urgent=1),
            streams_age_s=12.0, servers=(view.Server(views.SERVER, ServerStats(),
                                                     "Connection refused"),),
            header=views.header(
                state="RECONNECTING", reason="1006: try 3 in 4 s", redis_state="down",
                frame_age_s=12.0, ticks_per_s=0.0,
                redis_reason="Connection refused", spooled=48_211, gaps=1, max_lag=None,
                links=(view.Link(0, "RECONNECTING", "1006: try 3 in 4 s"),),
                urgent=1, unacked=3, alerts=3,
                journal="No space left on device", notify="telegram waits: 3 to send",
            ),
        )  # fmt: skip
    if state == "expired":
        return change(_aged(live, 300.0), header=views.header(
            state="AUTH_EXPIRED", reason="403: TokenException", ticks_per_s=0.0, simulated=False,
            frame_age_s=300.0,
            links=(view.Link(0, "AUTH_EXPIRED", "403: TokenException"),),
        ))  # fmt: skip
    if state == "closed":
        return change(live, header=views.header(market="NSE CLOSED", ticks_per_s=0.0))
    if state == "quote":
        assert live.depth is not None
        reading = live.depth.reading
        assert reading is not None
        bare = change(
            live.depth, mode="quote", bids=(), asks=(), reading=change(reading, book=None)
        )
        return change(live, depth=bare, chain=None)
    if state == "circuit":
        assert live.depth is not None
        return change(live, depth=change(live.depth, asks=(view.Level(0.0, 0, 0),) * 5))
    if state == "replay":
        return change(live, header=views.header(source="replay", state="PAUSED", simulated=False,
                                                reason="10x"))  # fmt: skip
    if state == "flood":
        flood = view.Flood(active=True, since_s=int(views.NOW_S) - 240, pending=31, held=412,
                           told=10, urgent=2, digests=4, overflowed=0,
                           minutes=tuple((n, 300 + 90 * n, 40, 2) for n in range(8)))  # fmt: skip
        return change(live, flood=flood, alerts=_waiting(40, urgent=2),
                      header=views.header(unacked=40, urgent=2, alerts=40))  # fmt: skip
    return live


def _waiting(count: int, urgent: int) -> tuple[Alert, ...]:
    """So many alerts, the first of them urgent."""
    return tuple(views.alert(n, priority=Priority.P1 if n < urgent else Priority.P3)
                 for n in range(count))  # fmt: skip


def _aged(live: view.Snapshot, age_s: float) -> view.Snapshot:
    """The same, so much later without a tick."""
    depth = None if live.depth is None else msgspec.structs.replace(
        live.depth, age_s=age_s, stale=True)  # fmt: skip
    watch = tuple(msgspec.structs.replace(row, age_s=age_s, stale=True) for row in live.watch)
    return msgspec.structs.replace(live, depth=depth, watch=watch)
