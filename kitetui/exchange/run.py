"""Runs the exchange: clock, market or recording, WebSocket and REST, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from kitetui.exchange.faults import Fault, Schedule
from kitetui.exchange.habits import VIX_DAYS, vix_closes
from kitetui.exchange.listing import VIX, VIX_TOKEN, listing, table
from kitetui.exchange.market import Burst, Market
from kitetui.exchange.newswire import newswire
from kitetui.exchange.paths import Day, Paths
from kitetui.exchange.rest import Accounts, Candle, RestData, RestServer
from kitetui.exchange.server import SETTLE_S, Ticker

if TYPE_CHECKING:
    from kitetui.exchange.recorded import Recorded

NS = 1_000_000_000
IST = timezone(timedelta(hours=5, minutes=30))
STEP_S = 0.25
"""Session seconds between snapshots, as Kite's feed has about four a second."""
DEMO_KEY = DEMO_TOKEN = "demo"  # noqa: S105 - the same for everybody
DEMO_SECRET = "demo-secret"  # noqa: S105


class ExchangePlan(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an exchange is started with.

    Attributes:
        days: sessions, oldest first; the last one is live from `start_s` on.
        speed: session seconds per second; None for as fast as its clients read.
        rate: packets a second to aim at; 0 for the market's own.
        plant: symbol that gets a burst in the first whole minute; '' for none.
        redirect: where a browser is sent after the login, as registered with the app.
        stop_on_eof: end when standard input closes, so that no orphan stays behind.
    """

    port: int
    rest_port: int
    days: Sequence[Day]
    start_s: int
    instruments: int
    rate: float
    seed: int
    speed: float | None
    faults: Sequence[Fault]
    recording: Path | None
    plant: str
    stop_on_eof: bool
    redirect: str
    bursts_per_hour: float = 6.0


async def run(plan: ExchangePlan) -> None:
    """Serve until SIGTERM, SIGINT, or the end of standard input.

    Raises:
        OSError: a port is taken.
        JournalError: the recording cannot be read.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(name, stop.set)
    if plan.stop_on_eof:
        loop.add_reader(sys.stdin.fileno(), _eof, stop)
    accounts = Accounts(DEMO_KEY, DEMO_SECRET, DEMO_TOKEN)
    accounts.redirect = plan.redirect
    recording = _recorded(plan.recording) if plan.recording else None
    ticker = Ticker(
        accounts, Schedule(plan.faults), conflate=recording is None and plan.speed is not None
    )
    port = await ticker.listen(plan.port)
    market = None if recording else _market(plan)
    data = _recorded_data(recording) if recording else _market_data(plan, market)
    rest = RestServer(plan.rest_port, accounts, data)
    hello = {
        "ws_url": f"ws://127.0.0.1:{port}",
        "rest_url": f"http://127.0.0.1:{rest.port}",
        "api_key": DEMO_KEY,
        "clock": datetime.fromtimestamp(plan.start_s, IST).isoformat(),
    }
    print(json.dumps(hello), flush=True)
    if recording is not None:
        feed = _play(recording, ticker, plan.speed)
    else:
        assert market is not None
        feed = _trade(market, ticker, plan)
    tasks = [loop.create_task(feed), loop.create_task(_heartbeats(ticker))]
    stopping = loop.create_task(stop.wait())
    done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task
    rest.close()
    await ticker.close()
    for ended in done:
        ended.result()


def _eof(stop: asyncio.Event) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        stop.set()


def _market(plan: ExchangePlan) -> Market:
    today = datetime.fromtimestamp(plan.start_s, UTC).astimezone(IST).date()
    listed = listing(today, plan.instruments)
    paths = Paths(listed, plan.days, plan.start_s, plan.seed)
    return Market(listed, paths, plan.seed, plan.bursts_per_hour)


def _market_data(plan: ExchangePlan, market: Market | None) -> RestData:
    assert market is not None
    listed = market.listed
    paths = Paths(listed, plan.days, plan.start_s, plan.seed)
    places = {item.token: at for at, item in enumerate(listed)}

    closes = vix_closes(VIX, plan.seed)
    past = [at for at in range(1, 2 * VIX_DAYS) if (plan.days[0].open_s // 86_400 - at + 3) % 7 < 5]
    opens = [plan.days[0].open_s - at * 86_400 for at in past[:VIX_DAYS]][::-1]

    def vix_days(from_s: int, to_s: int) -> list[Candle]:
        """India VIX of days before those that are simulated minute by minute: a bar each."""
        return [(start, x, x, x, x, 0, 0) for start, x in zip(opens, closes.tolist(), strict=True)
                if from_s <= start <= to_s]  # fmt: skip

    def candles(token: int, from_s: int, to_s: int) -> list[Candle] | None:
        at = places.get(token)
        if at is None:
            return None
        out: list[Candle] = vix_days(from_s, to_s) if token == VIX_TOKEN else []
        for day in range(len(plan.days)):
            if plan.days[day].close_s < from_s or plan.days[day].open_s > to_s:
                continue
            bars = paths.candles(at, day)
            if day == len(plan.days) - 1:
                bars = bars.copy()
                live = market.minutes[at]
                traded = live[5] > 0
                bars[1:6, traded] = live[:5, traded]
                bars = bars[:, (bars[0] < plan.start_s) | traded]
                bars = bars[:, bars[0] + 60 <= market.now_s]
            keep = (bars[0] >= from_s) & (bars[0] <= to_s)
            for start, o, h, low, close, volume, oi in bars[:, keep].T.tolist():
                out.append((start, o / 100, h / 100, low / 100, close / 100, volume, oi))
        return out

    def news() -> bytes:
        return newswire(list(market.told), listed, market.now_s)

    return RestData(lambda exchange: table(listed, exchange), candles, news)


def _recorded(path: Path) -> Recorded:
    from kitetui.exchange.recorded import Recorded  # pyarrow takes a tenth of a second

    return Recorded(path)


def _recorded_data(recording: Recorded) -> RestData:
    return RestData(lambda _: recording.instruments, lambda *_: [], lambda: newswire((), (), 0.0))


async def _trade(market: Market, ticker: Ticker, plan: ExchangePlan) -> None:
    """Step the market at its pace; it stands still until somebody listens."""
    await ticker.send(market.packets(np.arange(len(market.listed))))
    await ticker.started.wait()
    await asyncio.sleep(SETTLE_S)
    if plan.plant:
        minute = -(-int(market.now_s) // 60) * 60  # this one, when it has just begun
        at = market.find(plan.plant)
        market.plant(Burst(at, minute + 5, minute + 50, 1, 1.25))
    speed = plan.speed
    share = 0.45
    if plan.rate:
        share = plan.rate * STEP_S / (speed or 1.0) / len(market.listed)
    steps_each = max(1, round(share + 0.499)) if share > 1 else 1
    share = min(share / steps_each, 1.0)
    began = time.monotonic()
    count = 0
    while market.now_s < market.day.close_s:
        for _ in range(steps_each):
            changed = market.step(STEP_S / steps_each, share)
            if len(changed):
                await ticker.send(market.packets(changed))
        count += 1
        due = began + count * STEP_S / speed if speed else 0.0
        await asyncio.sleep(max(due - time.monotonic(), 0))
    await asyncio.Event().wait()


async def _play(recording: Recorded, ticker: Ticker, speed: float | None) -> None:
    """Serve recorded frames; every packet arrives, none is conflated."""
    await ticker.started.wait()
    await asyncio.sleep(SETTLE_S)
    first_ns = 0
    began = time.monotonic()
    for at, (at_ns, frame, ticks) in enumerate(recording.frames()):
        first_ns = first_ns or at_ns
        if speed is not None:
            due = began + (at_ns - first_ns) / NS / speed
            if due > time.monotonic():
                await asyncio.sleep(due - time.monotonic())
        await ticker.send(ticks, frame)
        if at % 64 == 0:
            await asyncio.sleep(0)
    if recording.reader.unread_bytes:
        print(
            json.dumps({"recording": str(recording.path),
                        "unread_bytes": recording.reader.unread_bytes}),
            file=sys.stderr, flush=True,
        )  # fmt: skip
    await asyncio.Event().wait()


async def _heartbeats(ticker: Ticker) -> None:
    while True:
        await asyncio.sleep(0.25)
        await ticker.idle()
