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
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind
from kitetui.engine.pipeline import Pipeline
from tests.programs import LOGIN, environment, exchange, feed_options, kitetui

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("real_day")]

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
    totals = {kind: np.zeros(6) for kind in TARGETS}
    lines = [f"{'instrument':24}" + "".join(f"{f:>8}" for f in FIELDS) + f"{'bars':>6}"]
    for path in sorted((shared / "data" / "upstox_depth_20251215").glob("*.parquet")):
        symbol = path.stem.split("__")[1]
        theirs = _feed_bars(path)
        ours = bars[symbol]
        both = sorted(set(theirs) & set(ours))
        hits = np.array([[abs(ours[t][i] - theirs[t][i]) < 1e-6 for i in range(5)] for t in both])
        kind = "options" if symbol.endswith(("CE", "PE")) else "equities"
        totals[kind] += [*hits.sum(axis=0), len(both)]
        lines.append(f"{symbol:24}" + "".join(f"{s:8.3f}" for s in hits.mean(axis=0))
                     + f"{len(both):6}")  # fmt: skip
    for kind, total in totals.items():
        shares = dict(zip(FIELDS, total[:5] / total[5], strict=True))
        lines.append(f"{kind:24}" + "".join(f"{shares[f]:8.3f}" for f in FIELDS)
                     + f"{int(total[5]):6}")  # fmt: skip
        for field, least in TARGETS[kind].items():
            assert shares[field] >= least, (kind, field)
    with capsys.disabled():
        print("\n" + "\n".join(lines))
    minutes, normaliser = pipeline.market.minutes, pipeline.market.normaliser
    for row in range(pipeline.market.rows.count):
        told = normaliser.last_volume[row] - normaliser.first_volume[row]
        kept = (minutes.bar_volume[row] + minutes.late_volume[row]
                + normaliser.out_of_session_volume[row])  # fmt: skip
        assert kept == told > 0, pipeline.market.rows.instruments[row].symbol


def _replayed(
    journal: Path, settings: object
) -> tuple[Pipeline, dict[str, dict[int, list[float]]]]:
    """The engine's own bars, from its own journal: replay equals live."""
    pipeline = Pipeline(settings, 64)  # type: ignore[arg-type]
    bars: Bars = {}
    for batch in JournalReader(journal):
        for name, closed in pipeline.apply(batch).bars:
            if name != "1m":
                continue
            for at, row in enumerate(closed.rows.tolist()):
                symbol = pipeline.market.rows.instruments[row].symbol
                values = closed.values[:, at]
                prices = [pipeline.market.rows.price(row, v) for v in values[:4]]
                bars.setdefault(symbol, {})[closed.start * 60] = [*prices, int(values[4])]
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
