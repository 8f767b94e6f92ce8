"""The books of a day: what finds no room waits for it, and nothing is written twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.outlets import books as books_module
from kitetui.engine.outlets import event_keeping
from kitetui.engine.outlets.books import Books
from kitetui.engine.outlets.event_keeping import EventKeeping
from kitetui.engine.sinks.desk_log import DeskLog
from kitetui.engine.sinks.event_log import EventLog, Said
from kitetui.places import places
from tests.property.test_partition import EASY
from tests.widgets import views


def test_what_the_disk_does_not_take_is_written_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = Pipeline(EASY, 10)
    books = Books(places(tmp_path, "p"), 3, pipeline, lambda: False)
    real, full = DeskLog.write, [True]

    def write(self: DeskLog, *told: Sequence[object]) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")
        real(self, *told)  # type: ignore[arg-type]

    monkeypatch.setattr(DeskLog, "write", write)
    for n in range(3):
        books.take(Derived(alerts=[views.alert(n)]))
    assert books.unwritten == "No space left on device"
    assert [event.text for event in pipeline.events] == ["No space left on device"]
    full[0] = False
    books.take(Derived())
    assert books.unwritten, "it was tried a moment ago"
    monkeypatch.setattr(books_module, "monotonic_ns", lambda: 1 << 62)
    books.take(Derived())
    assert books.unwritten == ""
    told = list(books.desk.alerts(views.alert(0).at_s // 86_400))
    assert len(told) == 3
    books.desk.close()


async def test_events_of_an_earlier_engine_are_written_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_keeping, "LOG_S", 0.01)
    monkeypatch.setattr(event_keeping, "AGAIN_S", 0.01)
    pipeline, restoring, written = Pipeline(EASY, 10), [True], list[str]()
    full = [True]

    class Log(EventLog):
        def write(self, said: Sequence[Said], now_ns: int) -> None:
            if full[0] and said:
                full[0] = False
                raise OSError(28, "No space left on device")
            written.extend(one.text for one in said)

    keeping = EventKeeping(Log(tmp_path, "run"), pipeline, lambda: restoring[0])
    task = asyncio.create_task(keeping.run())
    pipeline.note("x", "of an earlier engine")
    await asyncio.sleep(0.05)
    keeping.known()
    pipeline.note("x", "of this one")
    restoring[0] = False
    await asyncio.sleep(0.1)
    task.cancel()
    assert written[0] == "of this one" and "of an earlier engine" not in written
    assert written.count("of this one") == 1
