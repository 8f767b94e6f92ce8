"""The tick archive: the journal's packets, byte for byte, by token; and nothing else."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from kitetui.cli.main import cli
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, LENGTHS, LTP, PACKET_MAX, TickBatch
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.sinks import days, packet_sorter, tick_archive
from kitetui.engine.sinks.days import (
    SIMULATED,
    alone,
    archive_day,
    pack_day,
    recorded_day,
    recorded_days,
)
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.packet_digest import Digest, Packets
from kitetui.engine.sinks.tick_archive import (
    SCHEMA,
    ArchiveError,
    NoTicks,
    archive_ticks,
    read_back,
)
from kitetui.settings import Settings
from tests.samples import MONDAY_OPEN_S, frame, market_day, split

DAY, MIXED_DAY, LATER = date(2025, 12, 15), date(2001, 9, 9), date(2025, 12, 20)


def write(folder: Path, whole: RecordBatch, settings: Settings, *, source: bytes = b"kite",
          number: int = 1) -> Path:  # fmt: skip
    writer = written(folder, whole, settings, source=source, number=number)
    writer.close()
    os.utime(writer.path, (1765790000, 1765790000))
    return writer.path


def written(folder: Path, whole: RecordBatch, settings: Settings, *, source: bytes = b"kite",
            number: int = 1) -> JournalWriter:  # fmt: skip
    """A journal whose writer lives, last written on 2025-12-15 at 14:43."""
    folder.mkdir(exist_ok=True)
    path = folder / f"20251215-09150{number}-000001-7.000.arrows"
    writer = JournalWriter(path, settings.journal, source)
    for part in split(whole, range(0, len(whole), 20)):
        writer.write(part, 0)
    os.utime(path, (1765790000, 1765790000))
    return writer


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
    made = archive_ticks([path], tmp_path / "out" / "2025-12-15.parquet", DAY, {})
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
    monkeypatch.setattr(packet_sorter, "BUCKET_BYTES", 9_000)
    monkeypatch.setattr(tick_archive, "CHUNK", 64)
    path = write(tmp_path, mixed(200, seed), settings)
    made = archive_ticks([path], tmp_path / "out" / "2001-09-09.parquet", MIXED_DAY, {})
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
        archive_ticks([path], tmp_path / "out" / "2025-12-15.parquet", DAY, {})
    assert path.exists() and list((tmp_path / "out").iterdir()) == []
    with pytest.raises(ArchiveError, match="no tick"):
        empty = RecordBatch()
        empty.append(Kind.TIMER, 1, b"0")
        other = write(tmp_path, empty, settings, number=2)
        archive_ticks([other], tmp_path / "x.parquet", DAY, {})
    with pytest.raises(NoTicks):
        archive_ticks([path], tmp_path / "x.parquet", MIXED_DAY, {})


def test_the_digest_tells_packets_times_and_order_and_no_cuts() -> None:
    rng = np.random.default_rng(5)
    token = rng.choice([5, 9], 50)
    bodies = rng.integers(0, 256, (50, PACKET_MAX)).astype(np.uint8)
    whole = Packets(token, np.arange(50), np.full(50, LTP, np.uint8), bodies)

    def told(*parts: Packets) -> dict[int, tuple[int, int]]:
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
    late = Packets(token, np.arange(50) + (np.arange(50) == 3), whole.length, bodies)
    assert told(late) != wanted
    assert told(whole.take(slice(0, 49))) != wanted


def test_journals_are_packed_once_their_day_is_over(tmp_path: Path, settings: Settings) -> None:
    journals, archive = tmp_path / "journals", tmp_path / "archive"
    keyframes = Keyframes(tmp_path / "keyframes")
    whole = market_day(minutes=2)
    ended = write(journals, whole, settings)
    demo = write(journals, whole, settings, source=SIMULATED, number=2)
    alive = written(journals, whole.part(0, 60), settings, number=3)
    sizes = ended.stat().st_size, alive.path.stat().st_size
    day = recorded_day(journals, archive, DAY)
    assert day.journals == [ended, alive.path] and day.other == [demo] and not day.archived
    wanted = packets(day.journals)
    made = archive_day(day, archive, {})
    assert held(made.path) == wanted
    pack_day(day, keyframes, DAY)
    assert ended.stat().st_size == sizes[0], "a restart goes on from today's"
    pack_day(day, keyframes, LATER)
    assert ended.stat().st_size < sizes[0] and demo.exists()
    assert alive.path.stat().st_size == sizes[1]
    assert recorded_day(journals, archive, DAY).archived
    alive.close()
    os.utime(alive.path, (1765790000, 1765790000))
    pack_day(recorded_day(journals, archive, DAY), keyframes, LATER)
    assert recorded_day(journals, archive, DAY).packed == 2
    assert packets(day.journals) == wanted


def test_a_fuller_archive_is_never_replaced(tmp_path: Path, settings: Settings) -> None:
    journals, archive = tmp_path / "journals", tmp_path / "archive"
    whole = market_day(minutes=2)
    morning = write(journals, whole, settings)
    write(journals, whole.part(0, 60), settings, number=3)
    made = archive_day(recorded_day(journals, archive, DAY), archive, {})
    wanted = held(made.path)
    morning.unlink()
    with pytest.raises(ArchiveError, match="no longer have"):
        archive_day(recorded_day(journals, archive, DAY), archive, {})
    assert held(made.path) == wanted
    made.path.write_bytes(b"damaged")
    archive_day(recorded_day(journals, archive, DAY), archive, {})
    assert 0 < sum(map(len, held(made.path).values())) < sum(map(len, wanted.values()))


def test_a_run_over_several_days_is_a_day_each(tmp_path: Path, settings: Settings) -> None:
    journals, archive = tmp_path / "journals", tmp_path / "archive"
    journals.mkdir()
    writer = JournalWriter(journals / "20251215-091500-000001-7.000.arrows", settings.journal, b"k")
    whole = market_day(minutes=2)
    days = [DAY, date(2025, 12, 16), date(2025, 12, 17)]
    for at in range(3):
        part = whole.part(0, len(whole))
        part.recv_ns = [at_ns + at * 86_400 * 10**9 for at_ns in whole.recv_ns]
        if at:  # the first file alone names the instruments
            part = part.part(4, len(part))
        for few in split(part, range(0, len(part), 20)):
            writer.write(few, 0)
    writer.close()
    for path, second in zip(sorted(journals.iterdir()), range(3), strict=True):
        os.utime(path, (1765790000 + second * 86_400,) * 2)
    found = recorded_days(journals, archive)
    assert [day.day for day in found] == days
    assert [len(day.heads) for day in found] == [0, 1, 1]
    for day in found:
        made = archive_day(day, archive, {})
        table = pq.read_table(made.path, columns=["recv_ns", "symbol"])
        seconds = table["recv_ns"].to_numpy() // 10**9 + 19_800
        assert set((seconds // 86_400).tolist()) == {(day.day - date(1970, 1, 1)).days}
        assert "NIFTY 50" in table["symbol"].unique().to_pylist()


def test_what_is_no_packet_is_said_and_padding_means_nothing(
    tmp_path: Path, settings: Settings
) -> None:
    whole = RecordBatch()
    frames = [p for k, p in zip(*_columns(market_day(minutes=1)), strict=True) if k == Kind.FRAME]
    full = next(bytearray(p) for p in frames if len(p) > 190 and p[2:4] == b"\x00\xb8")
    full[4 + 64 + 10] = 7  # padding of the first level
    whole.append(Kind.FRAME, MONDAY_OPEN_S * 10**9, bytes(full))
    whole.append(Kind.FRAME, MONDAY_OPEN_S * 10**9, b"\x00\x01\x00\x32" + bytes(50))
    made = archive_ticks([write(tmp_path, whole, settings)], tmp_path / "o" / "x.parquet", DAY, {})
    assert made.ticks >= 1 and "1 packets that cannot be read" in made.lost


def _columns(batch: RecordBatch) -> tuple[list[int], list[bytes]]:
    return batch.kind, batch.payload


def test_one_process_at_a_time(tmp_path: Path) -> None:
    archive, journals = tmp_path / "archive", tmp_path / "journals"
    journals.mkdir()
    (journals / "left.fresh").touch()
    (archive / "ticks" / ".sorting-left").mkdir(parents=True)
    with alone(archive, journals):
        assert list(journals.iterdir()) == [] and list((archive / "ticks").iterdir()) == []
        with pytest.raises(ArchiveError, match="another process"), alone(archive, journals):
            pass
        said = CliRunner().invoke(cli, ["archive", "--state", str(tmp_path)])
        assert said.exit_code == 69 and "another process" in said.output


def test_the_commands(tmp_path: Path, settings: Settings) -> None:
    run = CliRunner().invoke
    said = run(cli, ["days", "--state", str(tmp_path)])
    assert said.exit_code == 0 and "nothing is recorded" in said.output
    path = write(tmp_path / "journals", market_day(minutes=2), settings)
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
    path.write_bytes(b"no journal")
    os.utime(path, (1765790000, 1765790000))
    empty = RecordBatch()
    empty.append(Kind.TIMER, 1, b"0")
    write(tmp_path / "journals", empty, settings, number=4).touch()  # of today, with no tick
    said = run(cli, ["archive", "2025-12-15", "--state", str(tmp_path)])
    assert said.exit_code == 78 and "is not a kitetui journal" in said.output
    (tmp_path / "archive" / "ticks" / "2025-12-15.parquet").unlink()
    said = run(cli, ["archive", "--state", str(tmp_path)])
    assert said.exit_code == 78 and "hold no tick" in said.output, "one day keeps no other"
    assert "Traceback" not in said.output


def test_old_days_leave(tmp_path: Path, settings: Settings) -> None:
    few = msgspec.structs.replace(settings.archive, tick_days=3)
    folder = tmp_path / "ticks"
    folder.mkdir()
    for day in range(1, 8):
        (folder / f"2025-12-{day:02}.parquet").touch()
    assert days.remove_old_ticks(tmp_path, few, tmp_path / "journals") == 4
    assert sorted(p.stem[-2:] for p in folder.iterdir()) == ["05", "06", "07"]
