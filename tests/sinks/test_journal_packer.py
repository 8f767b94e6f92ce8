"""Packing: the same records from a smaller file, whatever it is done to."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.journal_reader import JournalError, JournalReader, source_of
from kitetui.engine.feed.records import RecordBatch
from kitetui.engine.sinks import journal_packer
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.journal_packer import Packed, is_packed, pack
from kitetui.settings import JournalSettings, Settings
from tests.samples import market_day, split

LARGEST = 2 * journal_packer.PACKED_BYTES
"""A changed byte may be the mark that a batch begins with: then the one before goes as well."""


@pytest.fixture(scope="module")
def recorded() -> RecordBatch:
    return market_day(minutes=3)


def write(folder: Path, whole: RecordBatch, settings: JournalSettings, size: int) -> list[Path]:
    writer = JournalWriter(folder / "20251215-091500-000001-1.000.arrows", settings, b"a feed")
    for part in split(whole, range(0, len(whole), size)):
        writer.write(part, 0)
    writer.close()
    return sorted(folder.glob("*.arrows"))


def records(paths: list[Path]) -> list[tuple[int, int, int, bytes]]:
    return [
        one
        for batch in JournalFiles(paths)
        for one in zip(batch.kind, batch.recv_ns, batch.connection, batch.payload, strict=True)
    ]


def test_records_stay_as_they_are_and_take_less(
    tmp_path: Path, recorded: RecordBatch, settings: Settings
) -> None:
    paths = write(tmp_path, recorded, settings.journal, 2)
    before, dates = records(paths), [path.stat().st_mtime_ns for path in paths]
    (path,) = paths
    found = pack(path)
    was, now = found.before, found.after
    assert now < 0.7 * was
    assert records(paths) == before
    assert [path.stat().st_mtime_ns for path in paths] == dates
    assert all(is_packed(path) and path.stat().st_mode & 0o777 == 0o600 for path in paths)
    assert source_of(paths[0]) == b"a feed"
    assert pack(path) == Packed(now, now), "once is enough"


def test_every_file_of_a_run_may_be_packed_or_not(
    tmp_path: Path, recorded: RecordBatch, settings: Settings
) -> None:
    small = msgspec.structs.replace(settings.journal, segment_mb=1)
    writer = JournalWriter(tmp_path / "20251215-091500-000001-1.000.arrows", small)
    writer._most_bytes = 40_000
    for part in split(recorded, range(0, len(recorded), 2)):
        writer.write(part, 0)
    writer.close()
    paths = sorted(tmp_path.glob("*.arrows"))
    assert len(paths) > 3
    before = records(paths)
    for path in paths[1::2]:
        pack(path)
    files = JournalFiles(paths)
    assert sum(len(batch) for batch in files) == len(before) and files.lost() == ""
    assert records(paths) == before
    for path in paths:
        pack(path)
    assert records(paths) == before
    paths[1].unlink()
    left = JournalFiles([path for path in paths if path.exists()])
    assert sum(len(batch) for batch in left) < len(before) and left.lost_batches > 0


def test_what_is_missing_stays_missing(
    tmp_path: Path, recorded: RecordBatch, settings: Settings
) -> None:
    writer = JournalWriter(tmp_path / "20251215-091500-000001-1.000.arrows", settings.journal)
    for at, part in enumerate(split(recorded, range(0, len(recorded), 2))):
        writer._number += 3 * (at == 20)  # as batches that memory did not hold
        writer.write(part, 0)
    writer.close()
    paths = [writer.path]
    pack(writer.path)
    files = JournalFiles(paths)
    assert sum(len(batch) for batch in files) == len(recorded)
    assert files.lost_batches == 3


def test_a_damaged_journal_is_left_alone(
    tmp_path: Path, recorded: RecordBatch, settings: Settings
) -> None:
    (path,) = write(tmp_path, recorded, settings.journal, 2)
    data = bytearray(path.read_bytes())
    at = data.find(b"\xff\xff\xff\xff", len(data) // 2)  # where a batch begins
    data[at + 4] ^= 1
    path.write_bytes(data)
    found = pack(path)
    assert found.before == found.after and path.read_bytes() == data and not is_packed(path)
    assert list(tmp_path.iterdir()) == [path]
    (tmp_path / "x.arrows").write_bytes(b"no journal")
    with pytest.raises(JournalError, match="cannot be read"):
        pack(tmp_path / "x.arrows")


def test_a_disk_that_takes_no_more_costs_nothing(
    tmp_path: Path, recorded: RecordBatch, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = write(tmp_path, recorded, settings.journal, 2)
    data = path.read_bytes()

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(journal_packer.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        pack(path)
    assert path.read_bytes() == data and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mask", [0x01, 0xFF])
def test_a_byte_changed_later_costs_its_batch_alone(
    mask: int, tmp_path: Path, recorded: RecordBatch, settings: Settings
) -> None:
    (path,) = write(tmp_path, recorded, settings.journal, 2)
    pack(path)
    before = records([path])
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 3, len(data), max(len(data) // 60, 1)):
        changed = bytearray(data)
        changed[at] ^= mask
        path.write_bytes(changed)
        reader = JournalReader(path)
        found = [p for batch in reader for p in batch.payload]
        assert set(found) <= {one[3] for one in before}
        assert len(found) == len(before) or reader.unread_bytes or reader.lost_batches
        assert sum(map(len, found)) >= sum(len(one[3]) for one in before) - LARGEST
    os.chmod(path, 0o600)
