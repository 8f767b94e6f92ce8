"""The tick archive: the journal's packets, byte for byte, by token; and nothing else."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from kitetui.cli import cli
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, LENGTHS, LTP, PACKET_MAX, TickBatch
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.sinks import days, tick_archive
from kitetui.engine.sinks.days import SIMULATED, archive_day, recorded_day
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.tick_archive import (
    SCHEMA,
    ArchiveError,
    Digest,
    archive_ticks,
    read_back,
)
from kitetui.settings import Settings
from tests.samples import frame, market_day, split

DEAD = 2**22 + 1
"""A process that cannot be: beyond the kernel's largest number."""


def write(folder: Path, whole: RecordBatch, settings: Settings, *, source: bytes = b"kite",
          number: int = 1, process: int = DEAD) -> Path:  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / f"20251215-09150{number}-000001-{process}.000.arrows"
    writer = JournalWriter(path, settings.journal, source)
    for part in split(whole, range(0, len(whole), 20)):
        writer.write(part, 0)
    writer.close()
    os.utime(path, (1765790000, 1765790000))  # 2025-12-15, 14:43 IST
    return path


def packets(journals: list[Path]) -> dict[int, list[tuple[int, bytes]]]:
    """Of each token, its packets with their times, in order."""
    out: dict[int, list[tuple[int, bytes]]] = {}
    for batch in JournalFiles(journals):
        for kind, at_ns, payload in zip(batch.kind, batch.recv_ns, batch.payload, strict=True):
            if kind == Kind.FRAME:
                found = wire.decode([payload], [at_ns]).batch
                for at, token in enumerate(found.token.tolist()):
                    packet = found.packets[at, : found.length[at]].tobytes()
                    out.setdefault(token, []).append((at_ns, packet))
    return out


def held(path: Path) -> dict[int, list[tuple[int, bytes]]]:
    out: dict[int, list[tuple[int, bytes]]] = {}
    for part in read_back(path):
        for at, token in enumerate(part.token.tolist()):
            packet = part.packets[at, : part.length[at]].tobytes()
            out.setdefault(token, []).append((int(part.recv_ns[at]), packet))
    return out


def mixed(count: int, seed: int) -> RecordBatch:
    """Frames of packets of every length with any bytes that Kite could send."""
    rng = np.random.default_rng(seed)
    out = RecordBatch()
    for at in range(count):
        ticks = TickBatch(int(rng.integers(1, 9)))
        ticks.cols[:] = rng.integers(0, 1 << 32, ticks.cols.shape)
        ticks.cols[:, rng.random(len(ticks)) < 0.3] = 0xFFFF_FFFF
        ticks.token[:] = rng.choice([256265, 408065, 0xFFFF_FF01, 3], len(ticks))
        ticks.change[:] = rng.integers(-(1 << 31), 1 << 31, len(ticks))
        ticks.depth[:, :, :2] = rng.integers(0, 1 << 32, (len(ticks), 10, 2))
        ticks.depth[:, :, 2] = rng.integers(0, 1 << 16, (len(ticks), 10))
        ticks.length[:] = rng.choice(LENGTHS, len(ticks))
        ticks.depth[ticks.length != FULL] = 0
        out.append(Kind.FRAME, 10**18 + at * 10**6, frame(ticks))
    return out


def test_every_packet_is_there_in_order(tmp_path: Path, settings: Settings) -> None:
    path = write(tmp_path, market_day(minutes=3), settings)
    made = archive_ticks([path], tmp_path / "out" / "2025-12-15.parquet", {})
    assert made.lost == "" and made.ticks > 5_000
    assert held(made.path) == packets([path])
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in made.path.parent.iterdir()] == [made.path.name]
    table = pq.read_table(made.path)
    assert table.schema.equals(SCHEMA)
    assert np.all(np.diff(table["token"].to_numpy().astype(np.int64)) >= 0)
    nifty = next(row for row in table.to_pylist() if row["symbol"] == "NIFTY 50")
    assert nifty["token"] == 256265 and 20_000 < nifty["ltp"] / nifty["divisor"] < 30_000


@pytest.mark.parametrize("seed", range(4))
def test_any_packet_comes_back_byte_for_byte(
    seed: int, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tick_archive, "BUCKET_BYTES", 9_000)
    monkeypatch.setattr(tick_archive, "CHUNK", 64)
    path = write(tmp_path, mixed(200, seed), settings)
    made = archive_ticks([path], tmp_path / "out" / "2025-12-15.parquet", {})
    assert held(made.path) == packets([path])


def test_what_is_not_the_journals_is_refused(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, market_day(minutes=1), settings)
    encoded = wire.encode_packets

    def wrong(ticks: TickBatch) -> list[bytes]:
        ticks.ltp[3] += 1
        return encoded(ticks)

    monkeypatch.setattr(tick_archive.wire, "encode_packets", wrong)
    with pytest.raises(ArchiveError, match="is not what the journals hold"):
        archive_ticks([path], tmp_path / "out" / "2025-12-15.parquet", {})
    assert path.exists() and list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ArchiveError, match="no tick"):
        empty = RecordBatch()
        empty.append(Kind.TIMER, 1, b"0")
        archive_ticks([write(tmp_path, empty, settings, number=2)], tmp_path / "x.parquet", {})


def test_the_digest_tells_packets_times_and_order_and_no_cuts() -> None:
    rng = np.random.default_rng(5)
    token = rng.choice([5, 9], 50)
    bodies = rng.integers(0, 256, (50, PACKET_MAX)).astype(np.uint8)
    whole = tick_archive._Packets(token, np.arange(50), np.full(50, LTP, np.uint8), bodies)

    def told(*parts: tick_archive._Packets) -> dict[int, tuple[int, int]]:
        digest = Digest()
        for part in parts:
            digest.add(part)
        return digest.of_token

    wanted = told(whole)
    assert told(whole.take(slice(0, 7)), whole.take(slice(7, 50))) == wanted
    by_token = [whole.take(token == one) for one in (9, 5)]
    assert told(*by_token) == wanted
    order = np.arange(50)
    two = np.flatnonzero(token == 5)[:2]
    order[two] = two[::-1]
    assert told(whole.take(order)) != wanted
    late = tick_archive._Packets(token, np.arange(50) + (np.arange(50) == 3), whole.length, bodies)
    assert told(late) != wanted
    assert told(whole.take(slice(0, 49))) != wanted


@pytest.mark.parametrize("policy", ["pack", "keep", "drop"])
def test_journals_go_the_way_that_is_wanted(
    policy: str, tmp_path: Path, settings: Settings
) -> None:
    journals, archive = tmp_path / "journals", tmp_path / "archive"
    whole = market_day(minutes=2)
    written = write(journals, whole, settings)
    demo = write(journals, whole, settings, source=SIMULATED, number=2)
    alive = write(journals, whole.part(0, 60), settings, number=3, process=os.getpid())
    sizes = written.stat().st_size, alive.stat().st_size
    day = recorded_day(journals, archive, date(2025, 12, 15))
    assert day.journals == [written, alive] and day.other == [demo] and not day.archived
    wanted = packets(day.journals)
    chosen = settings.archive.__class__(
        enabled=True, sessions=9, ticks=True, tick_days=9, journals=policy
    )
    made = archive_day(day, archive, Keyframes(tmp_path / "keyframes"), chosen, {})
    assert held(made.path) == wanted
    assert demo.exists() and alive.stat().st_size == sizes[1]
    if policy == "drop":
        assert not written.exists()
    else:
        assert (written.stat().st_size < sizes[0]) == (policy == "pack")
        assert recorded_day(journals, archive, date(2025, 12, 15)).archived


def test_the_commands(tmp_path: Path, settings: Settings) -> None:
    run = CliRunner().invoke
    said = run(cli, ["days", "--state", str(tmp_path)])
    assert said.exit_code == 0 and "nothing is recorded" in said.output
    written = write(tmp_path / "journals", market_day(minutes=2), settings)
    said = run(cli, ["archive", "2025-12-16", "--state", str(tmp_path)])
    assert said.exit_code == 69 and "kitetui days" in said.output
    said = run(cli, ["archive", "soon", "--state", str(tmp_path)])
    assert said.exit_code == 2 and "expected a date" in said.output
    said = run(cli, ["archive", "--json", "--state", str(tmp_path)])
    assert said.exit_code == 0, said.output
    told = json.loads(said.output)
    assert told["day"] == "2025-12-15" and told["ticks"] > 1_000 and told["lost"] == ""
    said = run(cli, ["archive", "--state", str(tmp_path)])
    assert "every recorded day is archived" in said.output
    (row,) = json.loads(run(cli, ["days", "--json", "--state", str(tmp_path)]).output)
    assert (row["journals"], row["packed"], row["archived"]) == (1, 1, True)
    said = run(cli, ["days", "--state", str(tmp_path)])
    assert "2025-12-15" in said.output and "packed" in said.output
    written.write_bytes(b"no journal")
    said = run(cli, ["archive", "2025-12-15", "--state", str(tmp_path)])
    assert said.exit_code == 78 and "is not a kitetui journal" in said.output
    assert "Traceback" not in said.output


def test_old_days_leave(tmp_path: Path) -> None:
    folder = tmp_path / "ticks"
    folder.mkdir()
    for day in range(1, 8):
        (folder / f"2025-12-{day:02}.parquet").touch()
    assert days.remove_old_ticks(tmp_path, 3) == 4
    assert sorted(p.stem[-2:] for p in folder.iterdir()) == ["05", "06", "07"]
