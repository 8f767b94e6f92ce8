"""What a viewer sees: snapshots and the status document, built from the engine's state."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np

from kitetui.engine import snapshot as view
from kitetui.engine.calendar import SEGMENTS, ist_day
from kitetui.engine.clock import monotonic_ns
from kitetui.engine.feed.batch import COLUMNS, FULL, I64
from kitetui.engine.feed.wire import MODES
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import (
    BUY,
    CLOSE,
    FLAGS,
    HIGH,
    LOW,
    OPEN,
    SELL,
    TICKS,
    TURNOVER,
    VOLUME,
    BarFlag,
)
from kitetui.engine.memory import memory_mb
from kitetui.engine.view.chain import Chains
from kitetui.engine.view.charting import Charts
from kitetui.engine.view.desk import explained, flood_of, listed, silences, thresholds
from kitetui.engine.view.kept import Kept
from kitetui.engine.view.reading import KEPT_MAX, Reader
from kitetui.engine.view.redis import groups_of, publication_of, streams_of
from kitetui.engine.view.status import Vitals
from kitetui.engine.view.watch_order import WatchOrder

_AT = {name: position for position, name in enumerate(COLUMNS)}
NS = 1_000_000_000
STALE_AFTER_S = 5.0
STALE_TIMES, USUAL_MINUTES = 3, 10
"""An instrument is stale that is silent for so many times what lay between its trades lately."""
TREND_BARS = 8
REMAKE_S = 10
"""What is made of closed bars alone is made anew so often: backfill may have told of more."""
BUCKET_MINUTES = 5


class Observer:
    """Reads the engine's state; changes nothing."""

    def __init__(self, pipeline: Pipeline, share_ns: int = 0) -> None:
        """`share_ns`: see `Reader`."""
        self._p = self.pipeline = pipeline
        self.reader = Reader(pipeline, share_ns)
        self.charts = Charts(pipeline, self.reader)
        self.chains = Chains(pipeline, self.reader)
        self._order = WatchOrder(pipeline)
        self._trends = Kept[tuple[int, ...]](view.COUNT_MAX)
        self._buckets = Kept[tuple[view.Bucket, ...]](KEPT_MAX)
        self._usual = Kept[tuple[int, int]](view.COUNT_MAX)

    def snapshot(self, wanted: view.View, vitals: Vitals, session_s: float) -> view.Snapshot:
        """A picture for one view."""
        age_s = (monotonic_ns() - vitals.redis.health_ns) / NS if vitals.redis.health_ns else -1.0
        return view.Snapshot(
            header=self._header(vitals, session_s),
            **self.market(wanted, session_s),
            streams=streams_of(vitals.redis.health),
            groups=groups_of(vitals.redis.health),
            streams_error=vitals.redis.health.error,
            streams_age_s=age_s,
            alerts=tuple(self._p.desk.newest(wanted.alerts)),
            events=self.events(wanted.events),
            news=tuple(islice(reversed(self._p.newsroom.items), wanted.news)),
            board=vitals.track_record.lines if wanted.board and vitals.track_record else (),
            explained=explained(self._p, wanted.explain) if wanted.explain else (),
            silences=silences(self._p) if wanted.silence else (),
            listed=listed(self._p, wanted),
            thresholds=thresholds(self._p) if wanted.thresholds else (),
            flood=flood_of(self._p.alerting),
            servers=tuple(
                view.Server(h.server, h.stats, h.error, h.foreign) for h in vitals.redis.servers
            ),
            publication=publication_of(vitals.redis.publisher),
            ingestion=ingestion_of(self._p, vitals) if wanted.ingestion else view.Ingestion(),
        )

    def market(self, wanted: view.View, session_s: float) -> dict[str, Any]:
        """The part of a picture that the market alone tells, by the names of `Snapshot`."""
        rows = self._p.market.rows
        row = max(int(rows.find(np.array([wanted.focus], np.int64))[0]), 0)
        known = row < rows.count
        order = self._order.rows(wanted.watching)
        found = np.flatnonzero(order == row)
        return {
            "focus": int(rows.token[row]) if known else 0,
            "watch_total": len(order),
            "watch_all": rows.count,
            "watch_at": int(found[0]) if len(found) else -1,
            "watch_groups": self._order.groups(),
            "watch_from": wanted.watch_from,
            "watch": self.watch(order, wanted.watch_from, wanted.watch_count, session_s),
            "depth": self.depth(row, session_s) if known else None,
            "buckets": self.buckets(row, wanted.buckets) if known and wanted.buckets else (),
            "volumes": self.charts.volumes(row) if known and wanted.volumes else view.Volumes(),
            "chart": self.charts.of(row, wanted.chart_minutes, wanted.chart) if known else None,
            "chain": self.chains.of(row, wanted.expiry) if known and wanted.chain else None,
            "found": self._order.found(wanted.find) if wanted.find else (),
        }

    def watch(self, order: I64, first: int, count: int,
              session_s: float) -> tuple[view.Watch, ...]:  # fmt: skip
        """Lines of the watchlist, in the order of its rows."""
        rows = order[max(first, 0) : max(first + count, 0)].tolist()
        return tuple(self._watch(row, session_s) for row in rows)

    def _watch(self, row: int, session_s: float) -> view.Watch:
        p = self._p
        cols = p.market.packets.cols[row]
        instrument = p.market.rows.instruments[row]
        seen = int(p.market.packets.length[row]) > 0
        history = p.market.frames[1].history
        trend = self._trends.get(
            row,
            (int(history.count[row]), int(session_s) // REMAKE_S),
            lambda: tuple(history.last(row, TREND_BARS)[1][CLOSE].tolist()),
        )
        age_s = max(session_s - float(p.market.normaliser.last_seen_s[row]), 0.0) if seen else -1.0
        return view.Watch(
            token=int(p.market.rows.token[row]),
            symbol=instrument.symbol,
            ltp=p.market.rows.price(row, cols[_AT["ltp"]]),
            change_pct=_change(cols),
            volume=int(cols[_AT["volume"]]),
            age_s=age_s,
            stale=seen and self._stale(row, age_s, session_s),
            trend=trend,
            decimals=decimals(int(p.market.rows.divisor[row])),
            oi=int(cols[_AT["oi"]]),
        )

    def _stale(self, row: int, age_s: float, session_s: float) -> bool:
        """Whether a row is silent for longer than is usual for it."""
        if age_s <= STALE_AFTER_S or not self.market_open(row):
            return False
        history = self._p.market.frames[1].history

        def usual() -> tuple[int, int]:
            starts, bars = history.last(row, USUAL_MINUTES)
            return int(bars[TICKS].sum()), int(starts[0]) if len(starts) else 0

        trades, start = self._usual.get(row, int(history.count[row]), usual)
        if not trades:
            return True
        usual_s = max(session_s - start * 60 - age_s, 60.0) / trades
        return age_s > STALE_TIMES * usual_s

    def depth(self, row: int, session_s: float) -> view.Depth | None:
        """The book of a row, or None before its first packet."""
        p = self._p
        length = int(p.market.packets.length[row])
        if not length:
            return None
        price = p.market.rows.price
        cols = p.market.packets.cols[row]
        levels = tuple(
            view.Level(price(row, value), int(quantity), int(orders))
            for quantity, value, orders in p.market.flow.depth[row].tolist()
        )
        instrument = p.market.rows.instruments[row]
        age_s = max(session_s - float(p.market.normaliser.last_seen_s[row]), 0.0)
        bars = p.market.minutes.open_bars(row)
        opened = int(bars[-1][1][OPEN]) if bars else int(cols[_AT["ltp"]])
        return view.Depth(
            token=int(p.market.rows.token[row]),
            symbol=instrument.symbol,
            mode=MODES[length],
            is_index=instrument.is_index,
            decimals=decimals(int(p.market.rows.divisor[row])),
            tick_size=instrument.tick_size,
            lot_size=instrument.lot_size,
            ltp=price(row, cols[_AT["ltp"]]),
            last_quantity=int(cols[_AT["ltq"]]),
            last_trade_s=int(cols[_AT["ltt_s"]]),
            change_pct=_change(cols),
            direction=int(np.sign(int(cols[_AT["ltp"]]) - opened)),
            bids=levels[:5] if length == FULL else (),
            asks=levels[5:] if length == FULL else (),
            open=price(row, cols[_AT["open"]]),
            high=price(row, cols[_AT["high"]]),
            low=price(row, cols[_AT["low"]]),
            close=price(row, cols[_AT["close"]]),
            average=price(row, cols[_AT["atp"]]),
            volume=int(cols[_AT["volume"]]),
            oi=int(cols[_AT["oi"]]),
            total_buy=int(cols[_AT["tbq"]]),
            total_sell=int(cols[_AT["tsq"]]),
            age_s=age_s,
            stale=self._stale(row, age_s, session_s),
            reading=self.reader.read(row),
        )

    def buckets(self, row: int, count: int) -> tuple[view.Bucket, ...]:
        """Five-minute volume buckets of a row, newest first; the first ones may still grow."""
        p = self._p
        history = p.market.frames[BUCKET_MINUTES].history

        def closed() -> tuple[view.Bucket, ...]:
            starts, values = history.last(row, count)
            newest_first = zip(starts[::-1], values.T[::-1], strict=True)
            return tuple(
                self._bucket(row, int(start), v, open_now=False) for start, v in newest_first
            )

        stamp = (int(history.count[row]), p.session_s // REMAKE_S)
        known = self._buckets.get((row, count), stamp, closed)
        grown = self.reader.forming(row, BUCKET_MINUTES)[::-1]
        return (*(self._bucket(row, *one, open_now=True) for one in grown), *known)[:count]

    def _bucket(self, row: int, start: int, v: Any, *, open_now: bool) -> view.Bucket:
        price = self._p.market.rows.price
        volume = int(v[VOLUME])
        return view.Bucket(
            start_s=start * 60,
            open=price(row, v[OPEN]),
            high=price(row, v[HIGH]),
            low=price(row, v[LOW]),
            close=price(row, v[CLOSE]),
            vwap=price(row, int(v[TURNOVER]) / volume) if volume else 0.0,
            volume=volume,
            buy=int(v[BUY]),
            sell=int(v[SELL]),
            ticks=int(v[TICKS]),
            uncertain=bool(v[FLAGS] & ~BarFlag.BACKFILLED),
            backfilled=bool(v[FLAGS] & BarFlag.BACKFILLED),
            open_now=open_now,
        )

    def market_open(self, row: int = 0) -> bool:
        """Whether a row's session is open at session time."""
        p = self._p
        if row >= p.market.rows.count or not p.session_s:
            return False
        return p.market.calendar.is_open(SEGMENTS[p.market.rows.hours[row]], p.session_s)

    def market_words(self) -> str:
        """The session's state in a word or two."""
        p = self._p
        session = p.market.calendar.session("equity", ist_day(p.session_s)) if p.session_s else None
        if not p.session_s:
            return "NSE ?"
        if session is None or p.session_s >= session.end_s or p.session_s < session.pre_open_s:
            return "NSE CLOSED"
        if p.session_s < session.open_s:
            return "NSE PRE-OPEN"
        if p.session_s < session.close_s and ("equity", ist_day(p.session_s)) in (
            p.market.calendar.unscheduled
        ):
            return "NSE UNSCHEDULED"
        return "NSE OPEN" if p.session_s < session.close_s else "NSE CLOSED"

    def events(self, count: int) -> tuple[view.Event, ...]:
        """The newest events, newest first."""
        events = self._p.events
        newest = list(events)[-count:] if count else []
        return tuple(view.Event(e.at_s, e.source, e.text) for e in reversed(newest))

    def _header(self, vitals: Vitals, session_s: float) -> view.Header:
        p = self._p
        state, reason = vitals.state()
        publisher = vitals.redis.publisher
        lags = [g.lag for g in vitals.redis.health.groups if g.lag is not None]
        frame_ns = vitals.source.last_frame_ns if vitals.source is not None else 0
        journal = "off" if vitals.journal is None else vitals.journal.failed or "ok"
        return view.Header(
            simulated=vitals.simulated,
            source=vitals.source_name,
            state=state,
            reason=reason,
            market=self.market_words(),
            session_s=session_s,
            links=vitals.links(),
            subscribed=len(p.announced),
            ticks_per_s=vitals.rate.per_s,
            ticks=p.market.normaliser.counts.received,
            gaps=p.gaps.count,
            latency_p50_ms=vitals.latency_ms.quantile(0.5),
            latency_p99_ms=vitals.latency_ms.quantile(0.99),
            loop_lag_p99_ms=vitals.loop_lag_ms.quantile(0.99),
            redis_state=publisher.state,
            redis_reason=publisher.reason,
            redis_ms=publisher.round_trip_ms,
            spooled=publisher.spooled,
            max_lag=max(lags) if lags else None,
            unacked=p.desk.unacked,
            urgent=p.desk.unacked_by_priority()[0],
            alerts=len(p.desk),
            bells=p.alerting.flood.messages,
            notify=vitals.notifier.words() if vitals.notifier else "",
            journal=journal,
            memory_mb=memory_mb(),
            warmed=len(p.market.warmed),
            warm_wanted=vitals.warm_wanted,
            frame_age_s=(monotonic_ns() - frame_ns) / NS if frame_ns else -1.0,
            login=vitals.login(),
        )


def ingestion_of(p: Pipeline, vitals: Vitals) -> view.Ingestion:
    """What came in and how long it took, as a viewer sees it."""
    counts, publisher = p.market.normaliser.counts, vitals.redis.publisher
    source = vitals.source
    measured = (("received to derived", vitals.latency_ms), ("loop behind", vitals.loop_lag_ms),
                ("to Redis", publisher.latency_ms))  # fmt: skip
    return view.Ingestion(
        tuple(view.Stage(name, one.quantile(0.5), one.quantile(0.9), one.quantile(0.99), one.max,
                         one.counts(view.LATENCY_MS)) for name, one in measured),
        (("frames", p.counts.frames), ("bad frames", p.counts.bad_frames),
         ("ticks", counts.received), ("duplicates", counts.duplicates), ("late", counts.late),
         ("rejected", counts.rejected + p.counts.rejected_packets),
         ("reconnects", source.reconnects if source else 0), ("gaps", p.gaps.count),
         ("bars", p.bars_closed)),
        tuple(gap.words() for gap in p.gaps.found),
    )  # fmt: skip


def decimals(divisor: int) -> int:
    """Digits after the point of a price with a divisor."""
    return 2 if divisor <= 100 else 4


def _change(cols: Any) -> float | None:
    """Change against the close in percent, from prices: the wire's own field is unreliable."""
    close = int(cols[_AT["close"]])
    return (int(cols[_AT["ltp"]]) - close) * 100 / close if close else None
