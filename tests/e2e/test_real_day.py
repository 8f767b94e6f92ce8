"""A real day of depth: import, serve, take in over the WebSocket, compare with the feed's bars."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import Flag
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import BUY, FLAGS, SELL, VOLUME
from kitetui.engine.market.market import Market
from kitetui.engine.market.minutes import Trades
from tests.programs import LOGIN, environment, exchange, feed_options, kitetui

pytestmark = pytest.mark.e2e

TARGETS = {"options": {"close": 0.89, "volume": 0.83, "high": 0.78, "low": 0.72},
           "equities": {"close": 0.85, "volume": 0.52, "high": 0.79, "low": 0.72}}  # fmt: skip
Bars = dict[str, dict[int, list[float]]]
FIELDS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="module")
def day(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The day as a journal of Kite frames."""
    folder = tmp_path_factory.mktemp("day")
    target = folder / "day.arrows"
    source = shared / "data" / "upstox_depth_20251215"
    done = kitetui(folder, "import", str(source), "--to", str(target))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["packets"] == 188_041
    assert said["clock_offset_s"] == 5.9
    return target


def test_every_packet_decodes_as_the_official_parser_decodes_it(day: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames.bin"
    count = 0
    with frames.open("wb") as out:
        for batch in JournalReader(day):
            for kind, payload in zip(batch.kind, batch.payload, strict=True):
                if kind == Kind.FRAME:
                    out.write(len(payload).to_bytes(4, "big") + payload)
                    count += len(wire.decode([payload]).batch)
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("official_parser.py")), str(frames)],
        env={**environment(tmp_path), "TZ": "UTC"}, text=True, capture_output=True, timeout=170,
        check=False,
    )  # fmt: skip
    if "No module named 'kiteconnect'" in done.stderr:
        pytest.skip("the official client is not installed: pip install kitetui[oracle]")
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout) == {"compared": count, "different": 0}


@pytest.fixture(scope="module")
def served(day: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], Path]:
    """Status and journal of an engine that took the day in over the WebSocket at full speed."""
    folder = tmp_path_factory.mktemp("served")
    with exchange(folder, "--from", str(day), "--speed", "max") as hello:
        done = kitetui(folder, "--headless", "--duration", "40", "--json", *feed_options(hello),
                       "--set", "feed.speed=max", "--set", "feed.warmup_sessions=0",
                       "--set", "feed.instruments=all",
                       timeout=100, **LOGIN)  # fmt: skip
    assert done.returncode == 0, done.stderr
    status = json.loads(done.stdout)
    return status, Path(status["journal"]["path"])


def test_the_day_is_taken_in_whole(served: tuple[dict[str, dict[str, object]], Path]) -> None:
    status, _ = served
    ticks = status["ticks"]
    assert ticks["received"] == 188_041
    assert ticks["rejected"] == 0
    assert len(status["feed"]["gaps"]) == 4  # type: ignore[arg-type]
    seconds = [gap["seconds"] for gap in status["feed"]["gaps"]]  # type: ignore[attr-defined]
    assert all(30 < s < 140 for s in seconds)


def test_minute_bars_agree_with_the_feeds_own(
    served: tuple[dict[str, object], Path], shared: Path, settings: object,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    pipeline, bars = _replayed(served[1], settings)
    _, plain = _replayed(served[1], settings, extend=False)
    totals = {kind: np.zeros(8) for kind in TARGETS}
    heads = (*FIELDS, "plain hi", "plain lo")
    lines = [f"{'instrument':24}" + "".join(f"{f:>9}" for f in heads) + f"{'bars':>6}"]
    for path in sorted((shared / "data" / "upstox_depth_20251215").glob("*.parquet")):
        symbol = path.stem.split("__")[1]
        theirs = _feed_bars(path)
        both = sorted(set(theirs) & set(bars[symbol]))
        hits = np.array([
            [*(abs(bars[symbol][t][i] - theirs[t][i]) < 1e-6 for i in range(5)),
             *(abs(plain[symbol][t][i] - theirs[t][i]) < 1e-6 for i in (1, 2))] for t in both
        ])  # fmt: skip
        kind = "options" if symbol.endswith(("CE", "PE")) else "equities"
        totals[kind] += [*hits.sum(axis=0), len(both)]
        lines.append(f"{symbol:24}" + "".join(f"{s:9.3f}" for s in hits.mean(axis=0))
                     + f"{len(both):6}")  # fmt: skip
    for kind, total in totals.items():
        shares = dict(zip(heads, total[:7] / total[7], strict=True))
        lines.append(f"{kind:24}" + "".join(f"{shares[f]:9.3f}" for f in heads)
                     + f"{int(total[7]):6}")  # fmt: skip
        for field, least in TARGETS[kind].items():
            assert shares[field] >= least, (kind, field)
        assert shares["high"] > shares["plain hi"] and shares["low"] > shares["plain lo"], kind
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    minutes, normaliser = pipeline.market.minutes, pipeline.market.normaliser
    for row in range(pipeline.market.rows.count):
        told = normaliser.volumes.last[row] - normaliser.volumes.first[row]
        kept = (minutes.bar_volume[row] + minutes.late_volume[row]
                + normaliser.out_of_session_volume[row])  # fmt: skip
        assert kept == told > 0, pipeline.market.rows.instruments[row].symbol


def test_what_still_differs_is_explained(
    served: tuple[dict[str, object], Path], shared: Path, settings: object,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Prices: snapshots lump trades, and what lies between two of them is never seen, so that our
    range lies inside the feed's. Volumes: a snapshot's trades all count into the second of its
    last one, so that some move over a minute's edge (`moved`); after a gap nobody knows
    (`marked`); and trades that arrive when their minute has closed are counted apart (`late`)."""
    _, bars = _replayed(served[1], settings)
    late = _late_minutes(served[1], settings)
    lines = [f"{'instrument':24}{'inside':>9}{'volume differs':>16}{'moved':>9}{'late':>9}"
             f"{'marked':>9}{'other':>9}"]  # fmt: skip
    for path in sorted((shared / "data" / "upstox_depth_20251215").glob("*.parquet")):
        symbol = path.stem.split("__")[1]
        theirs, ours = _feed_bars(path), bars[symbol]
        both = sorted(set(theirs) & set(ours))
        inside = [ours[t][1] <= theirs[t][1] + 1e-6 and ours[t][2] >= theirs[t][2] - 1e-6
                  for t in both]  # fmt: skip
        excess = {t: ours[t][4] - theirs[t][4] for t in both}
        differs = [t for t in both if excess[t]]
        moved = [t for t in differs if any(excess.get(t + d, 0) * excess[t] < 0
                                           for d in (-60, 60))]  # fmt: skip
        behind = [t for t in differs if (symbol, t) in late and t not in moved]
        marked = [t for t in differs if ours[t][5] and t not in moved and t not in behind]
        other = len(differs) - len(moved) - len(behind) - len(marked)
        lines.append(f"{symbol:24}{np.mean(inside):9.3f}{len(differs):16}{len(moved):9}"
                     f"{len(behind):9}{len(marked):9}{other:9}")  # fmt: skip
        assert np.mean(inside) > 0.95, f"{symbol}: our range leaves the feed's own"
        assert other <= 0.1 * len(both), symbol
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def test_average_price_and_the_split_of_volume(
    served: tuple[dict[str, object], Path], settings: object, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline, _ = _replayed(served[1], settings)
    market = pipeline.market
    first = _first_packets(served[1])
    lines = [f"{'instrument':24}{'our vwap':>12}{'average':>12}{'bp':>8}{'buy %':>8}{'sell %':>8}"
             f"{'? %':>8}"]  # fmt: skip
    for row in range(market.rows.count):
        token, symbol = int(market.rows.token[row]), market.rows.instruments[row].symbol
        volume, turnover, _ = market.minutes.session[row].tolist()
        atp, shares = (int(market.packets.cols[row][at]) for at in (3, 4))
        atp0, shares0 = first[token]
        # The exchange's average runs from the open; what was traded while we listened is the
        # difference of two of its totals.
        theirs = (atp * shares - atp0 * shares0) / (shares - shares0)
        ours = turnover / volume
        buy, sell = _split(market, row)
        lines.append(f"{symbol:24}{ours / 100:12.2f}{theirs / 100:12.2f}"
                     f"{(ours / theirs - 1) * 1e4:8.1f}{buy:8.1%}{sell:8.1%}"
                     f"{1 - buy - sell:8.1%}")  # fmt: skip
        assert abs(ours / theirs - 1) < 0.004, symbol
        assert 0.25 < buy < 0.75 and 0.25 < sell < 0.75, symbol
        assert buy + sell > 0.9, symbol
    with capsys.disabled():
        print("\n" + "\n".join(lines))


def _split(market: Market, row: int) -> tuple[float, float]:
    """Shares bought and sold of what the five-minute bars hold."""
    _, values = market.frames[5].history.last(row, 96)
    return (float(values[BUY].sum() / values[VOLUME].sum()),
            float(values[SELL].sum() / values[VOLUME].sum()))  # fmt: skip


def _late_minutes(journal: Path, settings: object) -> set[tuple[str, int]]:
    """(symbol, minute's first second) of trades that came when their minute had closed."""
    pipeline = Pipeline(settings, 64)  # type: ignore[arg-type]
    out = set()
    for batch in JournalReader(journal):
        for run in pipeline.apply(batch).runs:
            late = np.flatnonzero(run.ticks.flags & Flag.LATE)
            for row, second in zip(run.ticks.row[late], run.ticks.ltt_s[late], strict=True):
                symbol = pipeline.market.rows.instruments[row].symbol
                out.add((symbol, int(second) // 60 * 60))
    return out


def _first_packets(journal: Path) -> dict[int, tuple[int, int]]:
    """Average price and volume of each token's first packet."""
    out: dict[int, tuple[int, int]] = {}
    for batch in JournalReader(journal):
        frames = [p for k, p in zip(batch.kind, batch.payload, strict=True) if k == Kind.FRAME]
        ticks = wire.decode(frames).batch
        for token, atp, volume in zip(ticks.token.tolist(), ticks.atp.tolist(),
                                      ticks.volume.tolist(), strict=True):  # fmt: skip
            out.setdefault(token, (atp, volume))
    return out


def _replayed(
    journal: Path, settings: object, *, extend: bool = True
) -> tuple[Pipeline, dict[str, dict[int, list[float]]]]:
    """The engine's own bars, from its own journal; without `extend` by last prices alone."""
    pipeline = Pipeline(settings, 64)  # type: ignore[arg-type]
    minutes = pipeline.market.minutes
    if not extend:
        read = minutes.read
        minutes.read = lambda clean: Trades(  # type: ignore[method-assign]
            read(clean).side, clean.ticks.ltp, clean.ticks.ltp
        )
    bars: Bars = {}
    for batch in JournalReader(journal):
        for name, closed in pipeline.apply(batch).bars:
            if name != "1m":
                continue
            for at, row in enumerate(closed.rows.tolist()):
                symbol = pipeline.market.rows.instruments[row].symbol
                values = closed.values[:, at]
                prices = [pipeline.market.rows.price(row, v) for v in values[:4]]
                bars.setdefault(symbol, {})[closed.start * 60] = [*prices, int(values[VOLUME]),
                                                                  int(values[FLAGS])]  # fmt: skip
    return pipeline, bars


def _feed_bars(path: Path) -> dict[int, tuple[float, ...]]:
    """The feed's last word on each of its minutes."""
    names = ["i1_open", "i1_high", "i1_low", "i1_close", "i1_vol", "i1_ts"]
    data = pq.read_table(path, columns=names).to_pydict()
    return {
        int(ts.timestamp()): values
        for *values, ts in zip(*(data[name] for name in names), strict=True)
        if ts is not None
    }
