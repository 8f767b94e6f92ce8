"""A killed engine's session goes on in the next one."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from kitetui.config import load
from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import HistoryAnswer, Kind
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.archive import read_bars
from tests.programs import LOGIN, engine, exchange, feed_options, kitetui, run_until, status_when

pytestmark = pytest.mark.e2e


def test_kill_and_start_again(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "30") as hello:
        options = ["--headless", "--json", *feed_options(hello)]
        with engine(tmp_path, *options, **LOGIN) as first:
            status_when(tmp_path, lambda s: s["bars"]["closed"] > 200)
            assert kitetui(tmp_path, "mode", "ltp", "TCS").returncode == 0
            assert kitetui(tmp_path, "watch", "NIFTY26DECFUT").returncode == 0
            assert kitetui(tmp_path, "unwatch", "INFY").returncode == 0
            first.send_signal(signal.SIGKILL)
            first.wait(timeout=10)
        done = kitetui(tmp_path, *options, "--duration", "7", **LOGIN)
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    journals = sorted((tmp_path / "kitetui" / "journals").glob("*.arrows"))
    assert len(journals) == 2 and status["restored"]["journals"] == 1
    pipeline = Pipeline(load(), 1256)
    received = []
    for path in journals:
        for batch in JournalReader(path):
            pipeline.apply(batch)
        received.append(pipeline.market.normaliser.counts.received)
    assert 0 < received[0] < received[1]
    assert status["restored"]["records"] > 100
    assert status["ticks"]["received"] == received[1]
    assert status["bars"]["closed"] == pipeline.bars_closed > 0
    assert status["alert_hash"] == pipeline.desk.alert_hash
    by_symbol = {i.symbol: i.token for i in pipeline.market.rows.instruments}
    assert by_symbol["NIFTY26DECFUT"] in pipeline.subscribed, "what was watched is watched again"
    assert by_symbol["INFY"] not in pipeline.subscribed, "what was taken out stays out"
    assert pipeline.modes == {by_symbol["TCS"]: "ltp"}, "in the mode that was asked for"


def test_the_next_day_begins_with_what_this_one_kept(tmp_path: Path) -> None:
    folder = tmp_path / "kitetui"
    archived = folder / "archive" / "2026-11-19.parquet"
    with exchange(tmp_path, "--clock", "2026-11-19T15:28:00", "--speed", "60") as hello:
        run_until(tmp_path, lambda _: archived.exists(), *feed_options(hello), "--set",
                  "feed.speed=60", **LOGIN)  # fmt: skip
    assert not list((folder / "archive").glob("*.part*"))
    with exchange(tmp_path, "--clock", "2026-11-20T09:20:00", "--speed", "5") as hello:
        done = kitetui(tmp_path, "--headless", "--json", "--duration", "6", *feed_options(hello),
                       "--set", "feed.warmup_sessions=1", "--set", "feed.warmup_instruments=3",
                       "--set", "feed.instruments=[NIFTY26NOVFUT, BANKNIFTY26NOVFUT]",
                       **LOGIN)  # fmt: skip
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    assert status["warm_up"]["done"] == 2
    pipeline = Pipeline(load(), 1256)
    told: list[HistoryAnswer] = []
    for batch in JournalReader(Path(status["journal"]["path"])):
        told += [
            msgspec.msgpack.decode(p, type=HistoryAnswer)
            for k, p in zip(batch.kind, batch.payload, strict=True)
            if k == Kind.HISTORY
        ]
        pipeline.apply(batch)
    yesterday = read_bars(folder / "archive", [a.token for a in told], [ist_day(1_795_080_000)])
    whole = [answer for answer in told if answer.columns]  # of a gap there may be nothing
    assert len({answer.token for answer in whole}) == 2
    for answer in whole:
        columns = np.frombuffer(answer.columns, np.int64).reshape(7, -1)
        if ist_day(int(columns[0, 0]) * 60) == ist_day(int(columns[0, -1]) * 60):
            continue  # the minutes of a gap
        held = yesterday[answer.token]
        assert held.shape[1] >= 2
        np.testing.assert_array_equal(columns[:, : held.shape[1]], held)
        assert (ist_day(int(columns[0, -1]) * 60)) == ist_day(int(columns[0, 0]) * 60) + 1
    market = pipeline.market
    assert set(market.past) == {0, 1}
    assert market.past[0].high >= market.past[0].close >= market.past[0].low > 0
    assert (
        len(market.chain_reader.volatility["NIFTY"]) == 1
        and 0.01 < market.chain_reader.volatility["NIFTY"][0] < 2
    )
    assert len(market.chain_reader.volatility["INDIA VIX"]) > 10
