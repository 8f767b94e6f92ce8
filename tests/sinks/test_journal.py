"""The journal: written before use, readable by anybody, whole up to any cut."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from kitetui.config import load
from kitetui.engine.feed.journal_files import JournalFiles, next_name
from kitetui.engine.feed.journal_format import SCHEMA, SEAL, UNSEALED, to_table
from kitetui.engine.feed.journal_reader import JournalError, JournalReader, read_at, source_of
from kitetui.engine.feed.records import Kind, Place, RecordBatch
from kitetui.engine.sinks import days
from kitetui.engine.sinks.journal import RETRY_NS, JournalWriter, remove_old
from kitetui.settings import Settings


def batch(n: int) -> RecordBatch:
    out = RecordBatch()
    for at in range(n):
        out.append(Kind.FRAME, 1000 * n + at, bytes([at % 256]) * (at + 1), at % 3)
    return out


@pytest.fixture
def written(tmp_path: Path, settings: Settings) -> Path:
    path = tmp_path / "day.arrows"
    journal = JournalWriter(path, settings.journal)
    for n in range(1, 9):
        journal.write(batch(n), n * 10**9)
    journal.close()
    journal.close()
    return path


def contents(reader: JournalReader) -> list[tuple[list[int], list[int], list[int], list[bytes]]]:
    return [(b.kind, b.recv_ns, b.connection, b.payload) for b in reader]


def test_what_was_written_is_read_in_order(written: Path) -> None:
    reader = JournalReader(written)
    wanted = [(b.kind, b.recv_ns, b.connection, b.payload) for b in map(batch, range(1, 9))]
    assert contents(reader) == wanted
    assert (reader.batches, reader.records, reader.unread_bytes) == (8, 36, 0)
    assert written.stat().st_mode & 0o777 == 0o600


def test_plain_pyarrow_reads_it(written: Path) -> None:
    with pa.ipc.open_stream(written.open("rb")) as stream:
        table = stream.read_all()
    rows = table.filter(pc.field("kind") != SEAL)
    assert rows.num_rows == 36
    assert rows["payload"].to_pylist() == [p for n in range(1, 9) for p in batch(n).payload]


def edges(path: Path) -> list[int]:
    """Where each batch that holds records begins, and where the last one ends."""
    begins = [b.kept.place.offset for b in JournalReader(path) if b.kept.place is not None]
    return [*begins, path.stat().st_size - 8]


def test_a_cut_at_any_byte_costs_the_batch_it_touches(written: Path, tmp_path: Path) -> None:
    data, whole, at = written.read_bytes(), contents(JournalReader(written)), edges(written)
    cut = tmp_path / "cut.arrows"
    header = 0
    for size in [*range(0, at[-3], 13), *range(at[-3], len(data))]:
        cut.write_bytes(data[:size])
        reader = JournalReader(cut)
        try:
            got = contents(reader)
        except JournalError:
            header = size
            continue
        complete = sum(end <= size for end in at[1:])
        assert got == whole[:complete]
        torn = size - max([e for e in at if e <= size], default=size)
        assert reader.unread_bytes == torn if size < at[-1] and size > at[0] else True
    assert header < at[0], "only a cut inside the schema makes it no journal"


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_a_changed_byte_costs_the_batch_it_is_in_and_no_other(
    written: Path, tmp_path: Path, mask: int
) -> None:
    data, whole, at = written.read_bytes(), contents(JournalReader(written)), edges(written)
    broken = tmp_path / "broken.arrows"
    harmless = 0
    for place in [*range(at[0], at[-3], 11), *range(at[-3], len(data))]:
        changed = bytearray(data)
        changed[place] ^= mask
        broken.write_bytes(changed)
        reader = JournalReader(broken)
        got = contents(reader)
        hit = sum(begin <= place for begin in at) - 1
        if got == whole:
            harmless += 1  # what only pads, and the stream's end
            continue
        assert got == whole[:hit] + whole[hit + 1 :], place
        assert reader.unread_bytes == at[hit + 1] - at[hit]
        assert reader.lost_batches == (1 if hit < len(whole) - 1 else 0)
    assert harmless < (len(data) - at[0]) / 4


def test_what_a_replay_is_told_of_damage(written: Path, tmp_path: Path) -> None:
    at = edges(written)
    data = bytearray(written.read_bytes())
    for place in range(at[2], at[4]):
        data[place] = 0
    broken = tmp_path / "broken.arrows"
    broken.write_bytes(data)
    files = JournalFiles([broken])
    assert sum(1 for _ in files) == 6 and files.share == 1.0
    lost = f"{at[4] - at[2]:,} bytes could not be read; 2 batches before others are missing"
    assert files.lost() == lost


def test_what_is_behind_a_place_is_read_even_if_that_is_damaged(written: Path) -> None:
    at, whole = edges(written), contents(JournalReader(written))
    place = Place(written, at[3])
    files = JournalFiles([written], place)
    assert [b.payload for b in files] == [w[3] for w in whole[4:]] and files.lost() == ""
    data = bytearray(written.read_bytes())
    data[at[3] + 100] ^= 0xFF
    written.write_bytes(data)
    files = JournalFiles([written], place)
    assert [b.payload for b in files] == [w[3] for w in whole[4:]]
    assert files.unread_bytes == at[4] - at[3]


def small(tmp_path: Path, **changed: Any) -> JournalWriter:
    settings = msgspec.structs.replace(load().journal, **changed)
    return JournalWriter(tmp_path / "20251215-091500-7.000.arrows", settings, b"here")


def test_files_follow_each_other_by_size_and_by_date(tmp_path: Path) -> None:
    journal = small(tmp_path, compression="none")
    day_ns = 1_765_770_300 * 10**9  # 2025-12-15 09:15
    sent = 0
    for hours in (0, 0, 14, 15, 16):
        out = RecordBatch()
        for _ in range(3):
            out.append(Kind.FRAME, day_ns + hours * 3600 * 10**9, bytes([sent]) * 200_000)
            sent += 1
        journal.write(out, 0)
        journal._most_bytes = 1_000_000
    journal.close()
    paths = sorted(tmp_path.glob("*.arrows"))
    assert [path.name[-10:-7] for path in paths] == ["000", "001", "002"]
    assert journal.bytes == sum(path.stat().st_size for path in paths) - 8 * len(paths)
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in paths)
    assert all(source_of(path) == b"here" for path in paths)
    files = JournalFiles(reversed(paths))
    assert [p[0] for b in files for p in b.payload] == list(range(15))
    assert (files.files, files.batches, files.lost()) == (3, 5, "")
    paths[1].unlink()
    files = JournalFiles(sorted(tmp_path.glob("*.arrows")))
    held = [p[0] for b in files for p in b.payload]
    assert files.lost_batches * 3 == 15 - len(held) and "missing" in files.lost()
    paths[0].unlink()
    last = JournalFiles([paths[2]])
    assert sum(1 for _ in last) == 5 - last.lost_batches


def test_a_full_disk_stops_nothing_and_costs_nothing_that_memory_holds(tmp_path: Path) -> None:
    """The limit lets a part of a batch through, as a disk that fills up in the middle does."""
    journal = small(tmp_path)
    journal.write(batch(50), 0)
    good = journal.bytes
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (good + 60, hard))
    try:
        for n in range(51, 55):
            out = batch(n)
            journal.write(out, 0)
            assert out.kept.place is None
        assert "large" in journal.failed.lower() and journal.path.stat().st_size == good
        assert journal.held_bytes > 0 and journal.lost_batches == 0
        assert len(contents(JournalReader(journal.path))) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    journal.write(batch(55), RETRY_NS - 1)
    assert journal.failed, "it is not tried with every batch"
    last = batch(56)
    journal.write(last, RETRY_NS)
    assert (journal.failed, journal.held_bytes, journal.batches) == ("", 0, 7)
    assert last.kept.place is not None and read_at(last.kept.place).payload == last.payload
    journal.close()
    reader = JournalReader(journal.path)
    assert [len(kinds) for kinds, *_ in contents(reader)] == list(range(50, 57))
    assert (reader.unread_bytes, reader.lost_batches) == (0, 0)


def test_a_journal_begins_on_a_full_disk_once_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        journal = small(tmp_path)
        first = batch(50)
        journal.write(first, 0)
        assert journal.failed == "No space left on device" and not journal.path.exists()
        assert first.kept.place is None and first.kept.awaited
        journal.sync(0)
    journal.write(batch(51), RETRY_NS)
    assert journal.failed == ""
    assert first.kept.place is not None and not first.kept.awaited
    assert read_at(first.kept.place).payload == first.payload
    journal.close()
    reader = JournalReader(journal.path)
    assert [len(kinds) for kinds, *_ in contents(reader)] == [50, 51]
    assert (reader.unread_bytes, reader.lost_batches) == (0, 0)


def test_a_journal_that_never_found_room_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    journal = small(tmp_path)
    journal.write(batch(3), 0)
    journal.close()
    assert journal.lost_batches == 1 and list(tmp_path.iterdir()) == []


def test_what_memory_does_not_hold_is_counted(tmp_path: Path) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    journal = small(tmp_path)
    journal._most_held = 4_000
    kept = os.dup(journal._fd)
    away = os.open(full, os.O_WRONLY)
    os.dup2(away, journal._fd)
    for n in range(50, 60):
        journal.write(batch(n), 0)
    assert "space" in journal.failed.lower()
    assert 0 < journal.held_bytes <= 4_000 and journal.lost_batches == 8
    os.dup2(kept, journal._fd)
    journal.close()
    reader = JournalReader(journal.path)
    assert [len(kinds) for kinds, *_ in contents(reader)] == [58, 59]
    assert reader.lost_batches == 8, "its numbers tell how many are missing"
    os.close(kept)
    os.close(away)


def test_journals_without_seals_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "earlier.arrows"
    schema = SCHEMA.with_metadata({b"format": UNSEALED})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for n in (3, 4):
            table = to_table(batch(n), 0)
            stream.write_batch(table.slice(0, n))
    reader = JournalReader(path)
    assert [len(kinds) for kinds, *_ in contents(reader)] == [3, 4]
    assert (reader.first, reader.lost_batches) == (-1, 0)


def test_a_later_format_is_named(tmp_path: Path) -> None:
    path = tmp_path / "later.arrows"
    schema = SCHEMA.with_metadata({b"format": b"kitetui-journal-3"})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema):
        pass
    with pytest.raises(JournalError, match="a later kitetui wrote it: upgrade"):
        list(JournalReader(path))


def test_an_existing_file_is_never_overwritten(written: Path, settings: Settings) -> None:
    with pytest.raises(FileExistsError):
        JournalWriter(written, settings.journal)


def test_foreign_files_are_named(tmp_path: Path) -> None:
    other = tmp_path / "other.arrows"
    with (
        pa.OSFile(str(other), "wb") as sink,
        pa.ipc.new_stream(sink, pa.schema([("x", pa.int64())])),
    ):
        pass
    for path in (other, tmp_path / "none.arrows", tmp_path):
        with pytest.raises(JournalError, match=path.name):
            list(JournalReader(path))


def test_old_journals_leave(written: Path) -> None:
    os.utime(written, (0, 0))
    assert remove_old(written.parent, 10, 86_400 * 11.0) == 1


def test_names_follow_each_other_even_if_a_clock_is_set_back(tmp_path: Path) -> None:
    noon = 1_765_780_200.25
    names = []
    for now_s in (noon, noon, noon - 3600, noon + 0.5, noon - 86_400):
        names.append(next_name(tmp_path, now_s))
        (tmp_path / names[-1]).touch()
    (tmp_path / "day.arrows").touch()
    assert names == sorted(names) and len(set(names)) == 5
    assert [name[:22] for name in names] == [
        "20251215-120000-250000", "20251215-120000-250001", "20251215-120000-250002",
        "20251215-120000-750000", "20251215-120000-750001"]  # fmt: skip
    assert names[0].endswith(f"-{os.getpid()}.000.arrows")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS, errno.EIO])
def test_whichever_write_fails_nothing_is_lost(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The k-th write fails, for every k; the disk takes half of it, then nothing for a while."""
    real = os.write
    for k in range(1, 11):
        calls = 0

        def write(fd: int, data: bytes, k: int = k) -> int:
            nonlocal calls
            calls += 1
            if calls == k:
                return real(fd, data[: len(data) // 2])
            if k < calls < k + 3:
                raise OSError(error, os.strerror(error))
            return real(fd, data)

        folder = tmp_path / str(k)
        folder.mkdir()
        journal = small(folder)
        with monkeypatch.context() as disk:
            disk.setattr(os, "write", write)
            for n in range(50, 63):
                journal.write(batch(n), n * RETRY_NS)
            journal.close()
        assert journal.lost_batches == 0, k
        files = JournalFiles(folder.glob("*.arrows"))
        assert [len(b) for b in files] == list(range(50, 63)), k
        assert (files.unread_bytes, files.lost_batches) == (0, 0), k


def test_a_running_writer_holds_its_run_with_two_files_open(tmp_path: Path) -> None:
    journal = small(tmp_path, compression="none", segment_mb=1)
    journal._most_bytes = 4_000
    before = len(os.listdir("/proc/self/fd"))
    for n in range(50, 70):
        journal.write(batch(n), 0)
    paths = sorted(tmp_path.glob("*.arrows"))
    assert len(paths) > 5 and all(days._held(path) for path in paths)
    assert len(os.listdir("/proc/self/fd")) <= before + 1
    journal.close()
    assert not any(days._held(path) for path in paths)


def test_a_batch_that_stands_there_again_is_passed_over_and_counted(
    written: Path, tmp_path: Path
) -> None:
    data, at = written.read_bytes(), edges(written)
    again = data[: at[3]] + data[at[0] : at[2]] + data[at[3] :]
    path = tmp_path / "again.arrows"
    path.write_bytes(again)
    reader = JournalReader(path)
    assert contents(reader) == contents(JournalReader(written))
    assert reader.unread_bytes == at[2] - at[0] and reader.lost_batches == 0
