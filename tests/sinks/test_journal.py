"""The journal: written before use, readable by anybody, whole up to any cut."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from kitetui.engine.feed.journal_reader import JournalError, JournalReader
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.sinks.journal import JournalWriter, remove_old
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
        assert stream.read_all().num_rows == 36


def test_every_cut_leaves_a_prefix_and_never_raises(written: Path, tmp_path: Path) -> None:
    data = written.read_bytes()
    whole = contents(JournalReader(written))
    cut = tmp_path / "cut.arrows"
    header = 0
    for size in range(0, len(data), 3):
        cut.write_bytes(data[:size])
        reader = JournalReader(cut)
        try:
            got = contents(reader)
        except JournalError:
            header = size
            continue
        assert got == whole[: len(got)]
    assert header < 1200, "only a cut inside the schema makes it no journal"


def test_a_flipped_byte_never_raises(written: Path, tmp_path: Path) -> None:
    data = bytearray(written.read_bytes())
    broken = tmp_path / "broken.arrows"
    for at in range(0, len(data), 7):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        broken.write_bytes(changed)
        try:
            list(JournalReader(broken))
        except JournalError:
            continue


def test_a_full_disk_stops_the_journal_and_not_the_engine(settings: Settings) -> None:
    path = Path("/dev/full")
    if not path.exists():
        pytest.skip("this system has no /dev/full")
    journal = JournalWriter.__new__(JournalWriter)
    link = Path(os.environ.get("TMPDIR", "/tmp")) / f"kitetui-full-{os.getpid()}.arrows"
    JournalWriter.__init__(journal, link, settings.journal)
    full = os.open(path, os.O_WRONLY)
    os.dup2(full, journal._fd)
    journal.write(batch(3), 0)
    assert "space" in journal.failed.lower()
    journal.write(batch(3), 0)
    journal.close()
    link.unlink()


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
