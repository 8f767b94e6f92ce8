"""Snapshots made by hand, for drawing panes without an engine."""

from __future__ import annotations

from typing import Any

import msgspec

from kitetui.engine import snapshot as view
from kitetui.engine.alerts.alert import Alert, alert_id
from kitetui.engine.health.server import ServerStats, SlowCall

NOW_S = 1_765_772_100.0
SERVER = "unix:///r"


def header(**changes: Any) -> view.Header:
    base = view.Header(
        simulated=True, source="kite", state="LIVE", reason="", market="NSE OPEN",
        session_s=NOW_S, links=(view.Link(0, "LIVE", ""),), subscribed=109, ticks_per_s=1976.0,
        ticks=10_000, gaps=0, latency_p50_ms=20.0, latency_p99_ms=41.0, loop_lag_p99_ms=4.0,
        redis_state="ok", redis_reason="", redis_ms=0.4, spooled=0, max_lag=312, unacked=1,
        urgent=0, alerts=2, bells=0, notify="", journal="ok", memory_mb=180.0, warmed=60,
        warm_wanted=60, frame_age_s=0.1,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def depth(**changes: Any) -> view.Depth:
    bids = tuple(view.Level(1412.0 - n * 0.1, 100 * (n + 1), n + 1) for n in range(5))
    asks = tuple(view.Level(1412.1 + n * 0.1, 200 * (n + 1), n + 2) for n in range(5))
    base = view.Depth(
        token=738561, symbol="RELIANCE", mode="full", is_index=False, decimals=2, tick_size=0.1,
        lot_size=1, ltp=1412.1, last_quantity=75, last_trade_s=int(NOW_S), change_pct=0.82,
        direction=1, bids=bids, asks=asks, open=1400.0, high=1420.0, low=1399.0, close=1400.6,
        average=1410.55, volume=4_100_000, oi=0, total_buy=1_204_331, total_sell=1_019_882,
        age_s=0.2, stale=False,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def alert(n: int = 0, **changes: Any) -> Alert:
    symbol = f"SYM{n}"
    bar_s = int(NOW_S) - 60 * n - 60
    base = Alert(
        alert_id=alert_id(symbol, "volume_spike", "1m", 1, bar_s), symbol=symbol, token=n,
        pattern="volume_spike", timeframe="1m", side=1, bar_s=bar_s, at_s=bar_s + 60,
        price=1412.1, score=0.95, confidence=0.97, evidence={"ratio": 6.1, "robust_z": 5.2},
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def board_line(**changes: Any) -> view.BoardLine:
    base = view.BoardLine(
        pattern="breakout", timeframe="5m", asset_class="equity", n=212, independent=150, hits=97,
        rate=0.458, low=0.39, high=0.53, null=0.4, lift=1.145, p_value=0.04, notable=True,
        gross_r=0.18, expectancy_r=0.12, expectancy_low=0.03, expectancy_high=0.21,
        profit_factor=1.3, max_drawdown_r=4.0, skill=0.02, ece=0.03, timeouts=0.1, ambiguous=0.02,
        median_bars=5.0, unresolvable=3, claim=True,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def snapshot(**changes: Any) -> view.Snapshot:
    watch = tuple(
        view.Watch(n + 1, f"SYM{n}", 100.0 + n, 0.5 - n / 10, 1000 * n, 0.2, False,
                   (1.0, 2.0, 3.0), 2)
        for n in range(20)
    )  # fmt: skip
    buckets = tuple(
        view.Bucket(int(NOW_S) - 300 * n, 1400.0, 1410.0, 1399.0, 1405.0, 1404.4, 50_000 - n * 1000,
                    30_000, 18_000, 300, n == 2, n == 0)
        for n in range(6)
    )  # fmt: skip
    base = view.Snapshot(
        header=header(), watch_total=20, watch_from=0, watch=watch, depth=depth(),
        buckets=buckets,
        streams=(view.Stream("ticks:intraday:processed", 48_000, 50_000, 1976.0, 1, server=SERVER),
                 view.Stream("alerts:system", 2, 10_000, None, 0, server=SERVER)),
        groups=(view.Group("ticks:intraday:processed", "features", 0, False, 0.0, 2, 0.1, 1,
                           1970.0, None, "OK", server=SERVER),
                view.Group("ticks:intraday:processed", "archiver", None, False, 3.0, 512, 9.0, 1,
                           None, 7, "STALL", server=SERVER)),
        streams_error="", streams_age_s=0.4,
        alerts=(alert(0), alert(1, state="acked", acked_by="ops", revision=2)),
        events=(view.Event(int(NOW_S), "ws0", "LIVE"),),
        servers=(view.Server(SERVER, ServerStats(
            version="valkey 9.1.2", role="master", used_mb=120.0, limit_mb=512.0,
            policy="noeviction", growth_mb_h=300.0, full_in_s=4704.0, clients=4, ops_per_s=4100,
            keys={0: 12, 4: 300}, persistence="append-only file", slow_count=1,
            slow=(SlowCall(int(NOW_S), 12.5, "SCAN 0 COUNT"),), uptime_s=3700)),),
        publication=view.Publication("lean", "ok", "", 10_000, 0, 0, 0, 0, 12.0, 31.0),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)
