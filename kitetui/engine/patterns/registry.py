"""The detectors: what they see, what they return, and by what name they are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from kitetui.config import PatternSettings
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.timeframe import Timeframe


class View(msgspec.Struct):
    """What a detector may look at: bars that just closed, and what came before them.

    Attributes:
        start: the closed bars' first minute.
        rows: i64 (n,), the rows whose bar closed.
        anchor: i64 (n,), the open minute of each row's day.
        is_index: bool (n,), rows without volume.
        flags: i64 (n,), `BarFlag` bits of the closed bars.
    """

    timeframe: Timeframe
    start: int
    rows: I64
    anchor: I64
    is_index: Bool
    flags: I64

    def only(self, keep: Bool) -> View:
        """The same view of fewer rows."""
        return View(self.timeframe, self.start, self.rows[keep], self.anchor[keep],
                    self.is_index[keep], self.flags[keep])  # fmt: skip

    @property
    def bars(self) -> I64:
        """Bars each row has seen, the closed one included: i64 (n,)."""
        count: I64 = self.timeframe.history.count[self.rows]
        return count


class Hits(msgspec.Struct):
    """Rows whose condition holds on the closed bar.

    Attributes:
        rows: i64 (k,); side: i64 (k,), +1, -1 or 0.
        evidence: f64 (k,) per formula; the ramped ones make the score.
        tags: per hit, extra words.
    """

    rows: I64
    side: I64
    evidence: dict[str, F64]
    tags: list[tuple[str, ...]]


Detector = Callable[[View, PatternSettings], Hits]

NO_HITS = Hits(np.zeros(0, np.int64), np.zeros(0, np.int64), {}, [])

_REGISTRY: dict[str, Detector] = {}
_EDGE_TRIGGERED: set[str] = set()


def detector(name: str, *, edge: bool = False) -> Callable[[Detector], Detector]:
    """Register a detector; `edge` fires only where the condition was false one bar before."""

    def register(function: Detector) -> Detector:
        _REGISTRY[name] = function
        if edge:
            _EDGE_TRIGGERED.add(name)
        return function

    return register


def registry() -> Mapping[str, Detector]:
    """All detectors by name."""
    return _REGISTRY


class Trigger:
    """The firing rule of one pattern on one timeframe: warm-up, edge, cooldown; per row and side.

    Cooldown counts bars of the row, as its history holds them.
    """

    def __init__(self, name: str, settings: PatternSettings, capacity: int) -> None:
        self.edge = name in _EDGE_TRIGGERED
        self.cooldown = settings.cooldown_bars
        self.min_bars = settings.min_bars
        self._fired: I64 = np.full((3, capacity), -(1 << 40), np.int64)
        self._held: I64 = np.full((3, capacity), -(1 << 40), np.int64)

    def fire(self, hits: Hits, bars: I64) -> Bool:
        """Which hits fire; `bars`: the bar number of each hit, i64 (k,)."""
        lane = hits.side + 1
        rested: Bool = bars - self._fired[lane, hits.rows] >= self.cooldown
        if self.edge:
            rested &= self._held[lane, hits.rows] != bars - 1
            self._held[lane, hits.rows] = bars
        rested &= bars > self.min_bars
        self._fired[lane[rested], hits.rows[rested]] = bars[rested]
        return rested
