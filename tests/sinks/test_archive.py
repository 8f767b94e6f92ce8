"""The archive of minute bars, and the store that outlives sessions."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kitetui.engine.calendar import ist_day
from kitetui.engine.feed.records import PastLevels
from kitetui.engine.market.bars import CLOSE, FIELDS, VOLUME, ClosedBars
from kitetui.engine.sinks.archive import (
    SCHEMA,
    BarArchive,
    finish,
    parts_of,
    read_bars,
    remove_old,
)
from kitetui.engine.sinks.store import SessionStore, thirty_days
from kitetui.private_file import open_private
from tests.samples import MONDAY_OPEN_S

FIRST = MONDAY_OPEN_S // 60
DAY = ist_day(MONDAY_OPEN_S)
TOKENS = np.array([300, 100, 200])


def bars(minute: int, close: int, rows: int = 3) -> ClosedBars:
    values = np.zeros((len(FIELDS), rows), np.int64)
    values[CLOSE] = close + np.arange(rows)
    values[VOLUME] = 4_000_000_000
    return ClosedBars(FIRST + minute, np.arange(rows), values)


def test_a_sessions_minutes_come_back_by_token(tmp_path: Path) -> None:
    archive = BarArchive(tmp_path)
    for minute in range(5):
        archive.take(bars(minute, 1000 + minute), TOKENS)
    archive.close()
    (made,) = finish(tmp_path, parts_of(tmp_path))
    assert made.name == "2025-12-15.parquet" and made.stat().st_mode & 0o777 == 0o600
    assert not list(tmp_path.glob("*.part*"))
    table = pq.read_table(made)
    assert table["token"].to_pylist() == [100] * 5 + [200] * 5 + [300] * 5
    found = read_bars(tmp_path, [200, 999], [DAY, DAY - 1])
    assert list(found) == [200]
    assert found[200][0].tolist() == [FIRST + n for n in range(5)]
    assert found[200][4].tolist() == [1002 + n for n in range(5)]
    assert found[200][5].tolist() == [4_000_000_000] * 5


def test_a_killed_writer_loses_at_most_what_was_not_whole(tmp_path: Path) -> None:
    archive = BarArchive(tmp_path)
    for minute in range(5):
        archive.take(bars(minute, 1000), TOKENS)
    part = next(tmp_path.glob("*.part.arrows"))
    part.write_bytes(part.read_bytes()[:-7])
    finish(tmp_path, parts_of(tmp_path))
    assert read_bars(tmp_path, [100], [DAY])[100].shape[1] == 4


def test_a_minute_told_twice_counts_once_by_its_last_word(tmp_path: Path) -> None:
    archive = BarArchive(tmp_path)
    for close in (1000, 2000):
        archive.take(bars(0, close), TOKENS)
    archive.close()
    finish(tmp_path, parts_of(tmp_path))
    assert read_bars(tmp_path, [300], [DAY])[300][4].tolist() == [2000]


def test_only_parts_that_nobody_writes_are_finished(tmp_path: Path) -> None:
    left = BarArchive(tmp_path)
    left.take(bars(0, 1000), TOKENS)
    left.close()
    parts = parts_of(tmp_path)
    going_on = BarArchive(tmp_path)
    going_on.take(bars(1, 1000), TOKENS)
    finish(tmp_path, parts)
    going_on.take(bars(2, 1000), TOKENS)
    going_on.close()
    finish(tmp_path, parts_of(tmp_path))
    assert read_bars(tmp_path, [100], [DAY])[100].shape[1] == 3


def test_what_comes_after_a_session_was_finished_is_joined_to_it(tmp_path: Path) -> None:
    for minute in (0, 1):
        archive = BarArchive(tmp_path)
        archive.take(bars(minute, 1000), TOKENS)
        archive.close()
        if minute == 0:
            finish(tmp_path, parts_of(tmp_path))
    archive = BarArchive(tmp_path)
    archive.take(bars(2, 1000), TOKENS)
    archive.close()
    assert len(list(tmp_path.glob("*.part.arrows"))) == 2, "every start has a part of its own"
    finish(tmp_path, parts_of(tmp_path))
    assert read_bars(tmp_path, [100], [DAY])[100][0].tolist() == [FIRST, FIRST + 1, FIRST + 2]


def test_files_that_are_no_archive_count_as_not_there(tmp_path: Path) -> None:
    (tmp_path / "2025-12-15.parquet").write_bytes(b"no parquet at all")
    assert read_bars(tmp_path, [100], [DAY]) == {}
    (tmp_path / "2025-12-12.0001.part.arrows").write_bytes(b"nor a stream")
    assert finish(tmp_path, parts_of(tmp_path)) == []


def test_the_oldest_sessions_leave_first(tmp_path: Path) -> None:
    for day in range(10, 15):
        (tmp_path / f"2025-12-{day}.parquet").touch()
    assert remove_old(tmp_path, 2) == 3
    assert sorted(p.name[8:10] for p in tmp_path.glob("*.parquet")) == ["13", "14"]


def test_what_found_no_room_is_written_as_soon_as_there_is_some(tmp_path: Path) -> None:
    folder = tmp_path / "missing"
    archive = BarArchive(folder)
    archive.take(bars(0, 1000), TOKENS)
    assert archive.failed == "No such file or directory"
    archive.take(bars(1, 1000), TOKENS)
    folder.mkdir()
    archive.take(bars(2, 1000), TOKENS)
    assert archive.failed == ""
    archive.close()
    (made,) = finish(folder, parts_of(folder))
    assert np.unique(pq.read_table(made)["minute"].to_numpy()).size == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_disk_that_is_full_for_a_minute_costs_no_minute(
    tmp_path: Path,
) -> None:
    archive = BarArchive(tmp_path)
    archive.take(bars(0, 1000), TOKENS)
    archive._file = open_private(Path("/dev/full"), "ab")
    archive._sink = pa.PythonFile(archive._file, "w")
    archive._stream = pa.ipc.new_stream(archive._sink, SCHEMA)
    archive.take(bars(1, 1000), TOKENS)
    assert archive.failed == "No space left on device"
    archive.take(bars(2, 1000), TOKENS)
    archive.take(bars(3, 1000), TOKENS)
    assert archive.failed == "" and archive.left_out == 0
    archive.close()
    (made,) = finish(tmp_path, parts_of(tmp_path))
    assert np.unique(pq.read_table(made)["minute"].to_numpy()).size == 4


def test_what_waits_has_a_cap_and_what_leaves_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kitetui.engine.sinks.archive.HELD_BYTES", 1000)
    archive = BarArchive(tmp_path / "missing")
    for minute in range(50):
        archive.take(bars(minute, 1000), TOKENS)
    assert archive.left_out > 10 and archive._held_bytes <= 1000


def level(token: int, day: int, poc: float) -> PastLevels:
    return PastLevels(token, day, poc, poc + 1, poc - 1, poc + 5, poc - 5, poc)


def test_the_last_sessions_levels_before_a_day(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "store.sqlite")
    store.keep_levels([level(1, DAY - 3, 10), level(1, DAY - 1, 11), level(2, DAY - 9, 20)])
    store.keep_levels([level(1, DAY - 1, 12), level(1, DAY, 13)])
    assert store.levels_before(DAY, [1, 2, 3]) == [level(1, DAY - 1, 12), level(2, DAY - 9, 20)]
    assert (tmp_path / "store.sqlite").stat().st_mode & 0o777 == 0o600
    store.close()
    assert SessionStore(tmp_path / "store.sqlite").levels_before(DAY, [1])[0].poc == 12


def test_levels_of_a_row_without_a_profile_stay_undefined(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "store.sqlite")
    nan = math.nan
    store.keep_levels([PastLevels(1, DAY, nan, nan, nan, 5.0, 4.0, 4.5)])
    told = store.levels_before(DAY + 1, [1])[0]
    assert math.isnan(told.poc) and told.high == 5.0


def test_volatility_thirty_days_ahead_lies_between_two_expiries(tmp_path: Path) -> None:
    store = SessionStore(tmp_path / "store.sqlite")
    for day in range(4):
        near, far = ("2026-01-06", 20.0 - day, 0.1), ("2026-02-24", 40.0 - day, 0.2)
        store.keep_volatility(DAY + day, [("NIFTY", *near), ("NIFTY", *far)])
    found = store.volatility_before(DAY + 3, "NIFTY", 2)
    assert len(found) == 2 and store.names() == ["NIFTY"]
    # Total variance: 0.1^2 x 18 and 0.2^2 x 38 days, at 30 of them.
    total = 0.01 * 18 * 0.4 + 0.04 * 38 * 0.6
    assert found[-1] == pytest.approx(math.sqrt(total / 30))
    assert thirty_days([(7.0, 0.15)]) == 0.15
    assert thirty_days([(40.0, 0.18), (70.0, 0.2)]) == 0.18


def test_a_locked_store_is_an_os_error_that_names_the_file(tmp_path: Path) -> None:
    import sqlite3

    store = SessionStore(tmp_path / "store.sqlite")
    other = sqlite3.connect(tmp_path / "store.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OSError, match=r"levels are not kept .*locked") as caught:
        store.keep_levels([level(1, DAY, 10)])
    assert str(caught.value.filename).endswith("store.sqlite")
    other.rollback()
    store.keep_levels([level(1, DAY, 10)])
    assert store.levels_before(DAY + 1, [1])[0].poc == 10


def test_a_file_that_is_no_store_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "store.sqlite").write_bytes(b"no database, but long enough to be looked at" * 30)
    with pytest.raises(OSError, match="move it away"):
        SessionStore(tmp_path / "store.sqlite")
