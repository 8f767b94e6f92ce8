"""decode, import and export, as a person would run them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kitetui.engine.feed import wire
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind
from tests.programs import kitetui
from tests.samples import frame, full_tick

TABLE = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
    "lot_size,instrument_type,segment,exchange\n"
    "738561,2885,RELIANCE,RELIANCE,0,,0,0.1,1,EQ,NSE,NSE\n"
)


def test_decode_prints_official_names_and_counts_what_it_refuses(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.bin", tmp_path / "cut.bin"
    whole.write_bytes(frame(full_tick(), full_tick(token=341249)))
    cut.write_bytes(frame(full_tick(), full_tick())[:-5])
    done = kitetui(tmp_path, "decode", str(whole))
    assert done.returncode == 0
    ticks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [t["instrument_token"] for t in ticks] == [738561, 341249]
    assert set(ticks[0]) == {
        "tradable", "mode", "instrument_token", "last_price", "last_traded_quantity",
        "average_traded_price", "volume_traded", "total_buy_quantity", "total_sell_quantity",
        "ohlc", "change", "last_trade_time", "oi", "oi_day_high", "oi_day_low",
        "exchange_timestamp", "depth",
    }  # fmt: skip
    done = kitetui(tmp_path, "decode", str(cut))
    assert done.returncode == 1
    assert json.loads(done.stderr)["rejected"] == {"truncated": 1}
    missing = kitetui(tmp_path, "decode", str(tmp_path / "none.bin"))
    assert missing.returncode == 2 and "none.bin" in missing.stderr


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_ticks_in_text_files_become_true_packets(tmp_path: Path, kind: str) -> None:
    source = tmp_path / "ticks"
    source.mkdir()
    (source / "instruments.csv").write_text(TABLE)
    rows = [
        {"ts": f"2025-12-15T09:15:0{n}", "symbol": "RELIANCE", "ltp": 1412.05 + n,
         "volume": 100 * n, "last_qty": 5, "ltt": f"2025-12-15T09:15:0{n}+05:30",
         "bp1": 1412.0, "bq1": 50, "bo1": 3 << 16, "ap1": 1412.1, "aq1": -1}
        for n in range(5)
    ]  # fmt: skip
    if kind == "csv":
        text = ",".join(rows[0]) + "\n" + "".join(",".join(map(str, r.values())) + "\n"
                                                   for r in rows)  # fmt: skip
    else:
        text = "".join(json.dumps(r) + "\n" for r in rows)
    (source / f"day.{kind}").write_text(text)
    target = tmp_path / "day.arrows"
    done = kitetui(tmp_path, "import", str(source), "--to", str(target))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["unknown_quantities"] == 5
    frames = [p for b in JournalReader(target)
              for k, p in zip(b.kind, b.payload, strict=True) if k == Kind.FRAME]  # fmt: skip
    ticks = wire.to_dicts(wire.decode(frames).batch)
    assert [t["last_price"] for t in ticks] == [1412.05 + n for n in range(5)]
    assert ticks[0]["last_trade_time"] == 1_765_770_300, "bare times are Indian"
    assert ticks[0]["exchange_timestamp"] == 1_765_770_300
    assert ticks[0]["depth"]["buy"][0] == {"quantity": 50, "price": 1412.0, "orders": 3}
    again = kitetui(tmp_path, "import", str(source), "--to", str(target))
    assert again.returncode == 78 and "exists already" in again.stderr


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "x,y\n1,2\n", ["a.csv", "no receive time", "received", "found x, y"]),
        ("a.csv", "ts,symbol\n1765770300,RELIANCE\n", ["a.csv", "no price", "ltp"]),
        ("a.csv", "ts,symbol,ltp\n1765770300,NOBODY,1\n", ["NOBODY", "--instruments"]),
        ("a.csv", "ts,symbol,ltp\n1765770300,RELIANCE,-4\n", ["ltp", "32 bits", "-400"]),
        ("a.csv", "ts,symbol,ltp\nyesterday,RELIANCE,4\n", ["column ts", "not a time"]),
        ("a.csv", "ts,symbol,ltp\n2025-12-15 09:15:00,RELIANCE,4\n,RELIANCE,4\n",
         ["column ts", "row 2", "not a time"]),
        ("a.csv", "ts,symbol,ltp\n1765770300,RELIANCE,4\n-5,RELIANCE,4\n", ["row 2", "-5"]),
        ("a.csv", "ts,symbol,ltp\n1765770300,RELIANCE,many\n", ["column ltp", "numbers"]),
        ("a.parquet", "no parquet", ["a.parquet", "cannot be read"]),
        ("a.txt", "x", ["holds no", ".parquet"]),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_named(
    tmp_path: Path, name: str, text: str, words: list[str]
) -> None:
    source = tmp_path / "ticks"
    source.mkdir()
    (source / "instruments.csv").write_text(TABLE)
    (source / name).write_text(text)
    done = kitetui(tmp_path, "import", str(source), "--to", str(tmp_path / "out.arrows"))
    assert done.returncode == 78
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr


def test_export_writes_what_the_engine_derives(tmp_path: Path) -> None:
    demo = kitetui(tmp_path, "--demo", "--headless", "--duration", "10", "--json")
    status = json.loads(demo.stdout)
    out = tmp_path / "out"
    done = kitetui(tmp_path, "export", status["journal"]["path"], "--to", str(out))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["ticks"] == status["ticks"]["received"]
    assert said["alert_hash"] == status["alert_hash"]
    bars = pq.read_table(out / "bars.parquet")
    assert bars.num_rows == said["bars"] == status["bars"]["closed"]
    assert {"symbol", "timeframe", "start_s", "open", "volume"} <= set(bars.column_names)


def test_help_teaches(tmp_path: Path) -> None:
    for arguments in ([], ["exchange"], ["import"], ["decode"], ["export"]):
        done = kitetui(tmp_path, *arguments, "--help")
        assert done.returncode == 0
        assert len(done.stdout) > 300


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000, 1_000_000_000])
def test_epoch_numbers_of_any_unit_are_times(tmp_path: Path, unit: int) -> None:
    second = 1_765_770_300
    target = imported(tmp_path, f"ts,symbol,ltp\n{second * unit},RELIANCE,4\n")
    (batch, *_) = JournalReader(target)
    assert batch.recv_ns[-1] // 1_000_000_000 == second


def test_a_day_of_receive_times_with_one_missing_is_refused_at_once(tmp_path: Path) -> None:
    source = tmp_path / "ticks"
    source.mkdir()
    (source / "instruments.csv").write_text(TABLE)
    times = pa.array([datetime(2025, 12, 15, 9, 15), None], pa.timestamp("us"))
    pq.write_table(pa.table({"ts": times, "symbol": ["RELIANCE"] * 2, "ltp": [4.0, 5.0]}),
                           source / "a.parquet")  # fmt: skip
    done = kitetui(
        tmp_path, "import", str(source), "--to", str(tmp_path / "out.arrows"), timeout=20
    )
    assert done.returncode == 78 and "column ts, row 2: not a time: None" in done.stderr


def test_the_range_of_open_interest_is_each_instruments_own(tmp_path: Path) -> None:
    lines = ("ts,instrument_token,ltp,oi,bp1,bq1\n1765770300,738561,4,1000000,4,1\n"
             "1765770301,258,4,500,4,1\n1765770302,738561,4,900000,4,1\n")  # fmt: skip
    frames = [p for b in JournalReader(imported(tmp_path, lines))
              for k, p in zip(b.kind, b.payload, strict=True) if k == Kind.FRAME]  # fmt: skip
    ticks = wire.decode(frames).batch
    assert ticks.token.tolist() == [738561, 258, 738561]
    assert ticks.oi_day_high.tolist() == [1_000_000, 500, 1_000_000]
    assert ticks.oi_day_low.tolist() == [1_000_000, 500, 900_000]


def imported(folder: Path, csv: str) -> Path:
    """A journal of one CSV file."""
    source = folder / "ticks"
    source.mkdir()
    (source / "instruments.csv").write_text(TABLE)
    (source / "a.csv").write_text(csv)
    target = folder / "out.arrows"
    done = kitetui(folder, "import", str(source), "--to", str(target))
    assert done.returncode == 0, done.stderr
    return target
