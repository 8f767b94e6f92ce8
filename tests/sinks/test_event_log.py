"""What happened, as JSON lines: once each, within their room, and nothing that a terminal obeys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kitetui.engine.sinks import event_log
from kitetui.engine.sinks.event_log import EventLog, Said

NOW_NS = 1_764_000_000_000_000_000
SECOND = 1_000_000_000


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "kitetui.jsonl").read_text().splitlines()]


def test_a_line_says_when_what_and_of_which_run(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    log = EventLog(folder, "run1")
    log.write([Said(1_764_000_000, "feed", "gap of 34 s"), Said(0, "ws0", "LIVE")], NOW_NS)
    first, second = lines(folder)
    assert first["ts"] == "2025-11-24T21:30:00.000+05:30" == first["session"].replace(
        ":00+", ":00.000+")  # fmt: skip
    assert (first["run"], first["seq"], first["event"]) == ("run1", 1, "feed")
    assert second["session"] is None and second["seq"] == 2
    assert (folder / "kitetui.jsonl").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_said_again_within_a_minute_is_counted(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "r")
    for second in range(59):
        log.write([Said(0, "redis", "no answer")], NOW_NS + second * SECOND)
    assert len(lines(tmp_path)) == 1
    log.write([Said(0, "redis", "no answer")], NOW_NS + 60 * SECOND)
    told = lines(tmp_path)
    assert [line.get("repeated") for line in told] == [None, 59]
    log.write([Said(0, "redis", "no answer")], NOW_NS + 61 * SECOND)
    assert [line.get("repeated") for line in lines(tmp_path)] == [None, 59, None]
    log.write([], NOW_NS + 200 * SECOND)
    assert len(lines(tmp_path)) == 3, "said once, nothing to add"


def test_words_from_outside_obey_nothing(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "r")
    hostile = "\x1b]0;x\x07\x9b2J\u202e\r\n\x00é"
    log.write([Said(0, "kite", hostile)], NOW_NS)
    raw = (tmp_path / "kitetui.jsonl").read_bytes()
    assert raw.isascii() and raw.count(b"\n") == 1 and b"\x1b" not in raw
    assert lines(tmp_path)[0]["text"] == hostile


def test_files_have_their_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_log, "FILE_MAX_BYTES", 2_000)
    log = EventLog(tmp_path, "r")
    for n in range(200):
        log.write([Said(0, "feed", f"number {n}")], NOW_NS + n * SECOND)
    files = sorted(p.name for p in tmp_path.iterdir())
    assert files == ["kitetui.jsonl", *(f"kitetui.jsonl.{n}" for n in range(1, 5))]
    assert all(p.stat().st_size <= 2_000 for p in tmp_path.iterdir())
    assert "number 199" in (tmp_path / "kitetui.jsonl").read_text()


def test_ten_thousand_different_words_take_no_memory(tmp_path: Path) -> None:
    log = EventLog(tmp_path, "r")
    for n in range(10_000):
        log.write([Said(0, "feed", f"number {n}")], NOW_NS)
    assert len(log._known) <= event_log.KNOWN_MAX


def test_a_log_that_cannot_be_written_is_an_error_of_the_system(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("")
    (tmp_path / "kitetui.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(OSError):
        EventLog(tmp_path, "r").write([Said(0, "a", "b")], NOW_NS)
