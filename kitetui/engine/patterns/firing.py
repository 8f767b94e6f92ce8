"""Firing: all detectors over the bars that closed, and what of it counts as one event."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import msgspec
import numpy as np

from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.market.bars import CLOSE
from kitetui.engine.market.market import FrameBars, Market
from kitetui.engine.market.timeframe import DEPTHS, timeframe_name
from kitetui.engine.patterns.registry import (
    Detector,
    Hits,
    Trigger,
    check,
    look,
    registry,
)
from kitetui.engine.patterns.score import score
from kitetui.engine.patterns.view import Silence, View
from kitetui.settings import PatternSettings

SAME_EVENT = ("volume_breakout", "volume_profile_breakout", "breakout")
"""A break that several of these see on one bar is one event: the first of them keeps it."""


class Fired(msgspec.Struct):
    """Firings of one detector on bars that closed together.

    Attributes:
        timeframe: its name; start: the bars' first minute.
        hits: those that fired; score: f64 (k,), in [0, 1].
        bar: i64 (k,), number of each row's closed bar.
        entry: f64 (k,), the close, rupees; atr: f64 (k,), as it stood before the bar.
        target, stop: f64 (k,), distances from the entry, rupees.
        flags: i64 (k,), `BarFlag` bits of the bars, for chains of their underlying's.
    """

    detector: Detector
    settings: PatternSettings
    timeframe: str
    start: int
    hits: Hits
    score: F64
    bar: I64
    entry: F64
    atr: F64
    target: F64
    stop: F64
    flags: I64

    def label(self, at: int) -> str:
        """The pattern of one firing, with its sub-type."""
        return self.detector.label(int(self.hits.kind[at]))

    def only(self, keep: Bool) -> Fired:
        """Some of the firings."""
        return Fired(self.detector, self.settings, self.timeframe, self.start,
                     self.hits.only(keep), self.score[keep], self.bar[keep], self.entry[keep],
                     self.atr[keep], self.target[keep], self.stop[keep],
                     self.flags[keep])  # fmt: skip


class Detectors:
    """The detectors in force, each with its firing rule's state.

    Attributes:
        silence: why rows could not fire at the last look, by (pattern, timeframe).
        failed: detectors that could not look with their parameters, and why: they are off until
            these are changed.
    """

    NOT_STATE = ("_patterns", "_enabled")

    def __init__(self, patterns: Mapping[str, PatternSettings], capacity: int) -> None:
        """Raises ConfigError where settings do not fit the detectors."""
        check(patterns)
        self._patterns: Mapping[str, PatternSettings] = patterns
        self._enabled = [
            (known, patterns[name])
            for name, known in registry().items()
            if name in patterns and patterns[name].enabled
        ]
        self._triggers: dict[tuple[str, str], Trigger] = {
            (known.name, timeframe): Trigger(known, settings, capacity)
            for known, settings in self._enabled
            for timeframe in settings.timeframes
        }
        self.silence: dict[tuple[str, str], Silence] = {}
        self.failed: dict[str, str] = {}
        self._memory: dict[object, Any] = {}

    def tune(self, patterns: Mapping[str, PatternSettings]) -> None:
        """Go by other settings of the detectors that were enabled at the start."""
        if patterns is self._patterns:
            return
        self._patterns = patterns
        self._enabled = [(known, patterns[known.name]) for known, _ in self._enabled]
        for known, settings in self._enabled:
            for timeframe in settings.timeframes:
                self._triggers[known.name, timeframe].cooldown = settings.cooldown_bars

    @property
    def followed(self) -> set[int]:
        """Lengths of the timeframes whose landmarks some detector needs."""
        names = {
            timeframe
            for known, settings in self._enabled
            if "landmarks" in known.needs
            for timeframe in settings.timeframes
        }
        return {minutes for minutes in DEPTHS if timeframe_name(minutes) in names}

    def look(self, market: Market, told: FrameBars) -> list[Fired]:
        """All firings on bars that a timeframe took; an event seen twice is told once."""
        steps = self.steps(market, told)
        while True:
            try:
                next(steps)
            except StopIteration as ended:
                found: list[Fired] = ended.value
                return found

    def steps(self, market: Market, told: FrameBars) -> Generator[None, None, list[Fired]]:
        """The same with a step for each detector."""
        name = told.frame.name
        wanted = [pair for pair in self._enabled if pair[1].enabled and name in pair[1].timeframes
                  and pair[0].name not in self.failed]  # fmt: skip
        if not wanted:
            return []
        view = View.of(market, told.frame, told.bars, told.opened)
        view.memory = self._memory
        found = []
        for known, settings in wanted:
            fired = self._fire(known, settings, view)
            if fired is not None:
                found.append(fired)
            yield
        return [fired for fired in _merged(found) if len(fired.hits)]

    def _fire(self, known: Detector, settings: PatternSettings, view: View) -> Fired | None:
        timeframe = view.frame.name
        try:
            hits, self.silence[known.name, timeframe] = look(known, view, settings)
        except Exception as error:  # noqa: BLE001 - one detector's parameters end no feed
            self.failed[known.name] = f"{type(error).__name__}: {error}"[:200]
            return None
        if not len(hits):
            return None
        of_chains = "chains" in known.needs
        if of_chains:  # a chain has no bars: minutes stand for them
            bar = np.full(len(hits), view.start // view.frame.minutes)
        else:
            bar = view.frame.history.count[hits.rows]
        fires = self._triggers[known.name, timeframe].fire(hits, bar)
        if not fires.any():
            return None
        hits = hits.only(fires)
        if of_chains:
            atr, entry = np.full(len(hits), np.nan), hits.entry
            tick = view.market.rows.tick[hits.rows] / view.market.rows.divisor[hits.rows]
            flags, traded = np.zeros(len(hits), np.int64), np.isin(hits.rows, view.rows)
            flags[traded] = view.flags[np.searchsorted(view.rows, hits.rows[traded])]
        else:
            at = np.searchsorted(view.rows, hits.rows)
            atr, entry = view.atr[at], view.window(CLOSE, 1)[0, at]
            tick, flags = view.tick[at], view.flags[at]
        target = np.where(np.isfinite(hits.target), (hits.target - entry) * hits.side, np.nan)
        stop = np.where(np.isfinite(hits.stop), (entry - hits.stop) * hits.side, np.nan)
        # A price of the pattern's own that lies on the wrong side of the entry says nothing.
        target = np.where(target >= tick, target, settings.target_atr * atr)
        stop = np.where(stop >= tick, stop, settings.stop_atr * atr)
        return Fired(known, settings, timeframe, view.start, hits,
                     score(hits.evidence, settings) * hits.factor, bar[fires] - 1, entry, atr,
                     np.maximum(target, tick), np.maximum(stop, tick), flags)  # fmt: skip


def _merged(found: list[Fired]) -> list[Fired]:
    """Breaks that several patterns see stay with the first of them, tagged with the others."""
    by_name = {fired.detector.name: at for at, fired in enumerate(found)}
    for at, winner in enumerate(SAME_EVENT):
        for loser in SAME_EVENT[at + 1 :]:
            if winner not in by_name or loser not in by_name:
                continue
            first, second = found[by_name[winner]], found[by_name[loser]]
            ours = {(r, s): k for k, (r, s) in enumerate(_events(first))}
            twice = [(k, ours[e]) for k, e in enumerate(_events(second)) if e in ours]
            if not twice:
                continue
            keep = np.ones(len(second.hits), np.bool_)
            keep[[k for k, _ in twice]] = False
            for _, k in twice:
                first.hits.tags[k] += (loser,)
            found[by_name[loser]] = second.only(keep)
    return found


def _events(fired: Fired) -> list[tuple[int, int]]:
    return list(zip(fired.hits.rows.tolist(), fired.hits.side.tolist(), strict=True))
