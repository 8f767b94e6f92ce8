"""Redis streams: length, share of the cap, how fast they grow, and until when there is room."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import Snapshot, Stream
from kitetui.keys import bindings
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import age, compact, spark

TREND = 8


class StreamsPane(LiveGrid):
    """One line a stream; streams of symbols are one line together. Those that are not ours are
    marked."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("streams")]
    columns = (
        Column("STREAM", 24, False), Column("LENGTH", 7), Column("CAP%", 4), Column("IN/s", 6),
        Column("", TREND, False), Column("FULL IN", 7), Column("GRP", 3),
        Column("OLDEST", 7), Column("DB", 2), Column("SERVER", 24, False),
    )  # fmt: skip
    empty_text = "no streams yet"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._streams: dict[object, Stream] = {}

    @property
    def selected(self) -> Stream | None:
        """The stream under the cursor."""
        return self._streams.get(self.cursor_key)

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the streams of a snapshot."""
        late = snapshot.streams_age_s > 3
        note = snapshot.streams_error or f"age {age(snapshot.streams_age_s)}"
        wrong = next((f"{s.name}: {s.error}" for s in snapshot.streams if s.error), "")
        bad = late or snapshot.streams_error
        self.title("4 Streams", f"⚠ {note}" if bad else f"⚠ {wrong}" if wrong else "poll 1s")
        self.empty_text = snapshot.streams_error or "no streams yet"
        self._streams = {_key(s): s for s in snapshot.streams}
        self.show_rows([_row(s) for s in snapshot.streams], stale=late)


def _key(s: Stream) -> object:
    return s.server, s.db, s.name


def _row(s: Stream) -> Row:
    name = f"{s.name} x{s.count:,}" if s.family else s.name
    if s.error:
        return Row(_key(s), ((name, "bad"), ("■ wrong", "bad")))
    if s.family:
        return Row(_key(s), ((name, "dim"),))
    share = s.length * 100 / s.cap if s.cap else 0.0
    capped = "–" if s.capped_in_s is None else age(s.capped_in_s)
    return Row(
        _key(s),
        (
            (f"? {name}" if not s.ours else name, "warn" if not s.ours else ""),
            (compact(s.length) if s.length > 999_999 else f"{s.length:,}", ""),
            (f"{share:.0f}" if s.cap else "–", "warn" if share > 105 else "dim"),
            ("?" if s.in_per_s is None else compact(s.in_per_s), ""),
            (spark(s.rates, TREND), "accent"),
            ("full" if s.cap and s.length >= s.cap else capped, "dim"),
            (str(s.groups), "dim"),
            (age(s.age_s), "dim"),
            (str(s.db), "dim"),
            (s.server, "dim"),
        ),
    )
