"""Redis streams: length, share of the cap, and how fast they grow."""

from __future__ import annotations

from kitetui.engine.snapshot import Snapshot, Stream
from kitetui.widgets.live_grid import Column, LiveGrid, Row
from kitetui.widgets.numbers import age, compact


class StreamsPane(LiveGrid):
    """One line a stream."""

    columns = (
        Column("STREAM", 26, False), Column("LENGTH", 9), Column("CAP%", 5), Column("IN/s", 8),
        Column("GROUPS", 6),
    )  # fmt: skip
    empty_text = "no streams yet"

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the streams of a snapshot."""
        late = snapshot.streams_age_s > 3
        note = snapshot.streams_error or f"age {age(snapshot.streams_age_s)}"
        self.title("4 Streams", f"⚠ {note}" if late or snapshot.streams_error else "poll 1s")
        if snapshot.streams_error and not snapshot.streams:
            self.empty_text = snapshot.streams_error
        self.show_rows([_row(s) for s in snapshot.streams], stale=late)


def _row(s: Stream) -> Row:
    share = s.length * 100 / s.cap if s.cap else 0.0
    rate = "?" if s.in_per_s is None else compact(s.in_per_s)
    return Row(
        s.name,
        (
            (s.name, ""),
            (f"{s.length:,}", ""),
            (f"{share:.0f}", "warn" if share > 95 else "dim"),
            (rate, ""),
            (str(s.groups), "dim"),
        ),
    )
