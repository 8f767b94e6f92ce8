"""The detectors: what they return, by what name they are known, and when they may fire."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np

from kitetui.config import ConfigError
from kitetui.engine.feed.batch import F64, I64, Bool
from kitetui.engine.patterns.view import Silence, View
from kitetui.settings import PatternSettings

Need = Literal["volume", "landmarks", "previous_session", "chains"]
"""What a detector cannot do without: rows that trade; followed swings and gaps; a past session;
option chains, at which it looks instead of rows."""


class Hits(msgspec.Struct):
    """Rows whose condition holds on the closed bar.

    Attributes:
        rows: i64 (k,); side: i64 (k,), +1, -1 or 0.
        evidence: f64 (k,) per formula; the ramped ones make the score. NaN: undefined here, and
            left out of the score.
        kind: i64 (k,), which of the detector's kinds.
        factor: f64 (k,), multiplies the score.
        stop, target: f64 (k,), rupees; NaN where the pattern's usual distances hold.
        entry: f64 (k,), rupees; NaN where it is the close.
        legs: i64 (k, 2), rows of the call and the put whose premium is traded; -1 for none.
        chain: i64 (k,), the first option's row of the chain it is about; -1 for none.
        tags: per hit, extra words.
    """

    rows: I64
    side: I64
    evidence: dict[str, F64]
    kind: I64
    factor: F64
    stop: F64
    target: F64
    entry: F64
    legs: I64
    chain: I64
    tags: list[tuple[str, ...]]

    def __len__(self) -> int:
        return len(self.rows)

    def only(self, keep: Bool) -> Hits:
        """Some of the hits."""
        return Hits(
            self.rows[keep], self.side[keep], {k: v[keep] for k, v in self.evidence.items()},
            self.kind[keep], self.factor[keep], self.stop[keep], self.target[keep],
            self.entry[keep], self.legs[keep], self.chain[keep],
            [tags for tags, kept in zip(self.tags, keep.tolist(), strict=True) if kept],
        )  # fmt: skip


_NO_ROWS: I64 = np.zeros(0, np.int64)
_NOTHING: F64 = np.zeros(0)
_NO_LEGS: I64 = np.zeros((0, 2), np.int64)


def hits_of(view: View, hit: Bool, side: I64 | int, evidence: Mapping[str, F64], *,
            kind: I64 | int = 0, factor: F64 | float = 1.0, stop: F64 | float = np.nan,
            target: F64 | float = np.nan,
            tags: Mapping[str, Bool] | None = None) -> Hits:  # fmt: skip
    """The rows of a view where `hit` holds; all arrays are as long as the view.

    Args:
        tags: words, and where each applies.
    """
    n, at = len(view), np.flatnonzero(hit)
    if not len(at):
        return Hits(_NO_ROWS, _NO_ROWS, dict.fromkeys(evidence, _NOTHING), _NO_ROWS, _NOTHING,
                    _NOTHING, _NOTHING, _NOTHING, _NO_LEGS, _NO_ROWS, [])  # fmt: skip
    return Hits(
        rows=view.rows[at],
        side=np.broadcast_to(side, n)[at].astype(np.int64),
        evidence={name: values[at] for name, values in evidence.items()},
        kind=np.broadcast_to(kind, n)[at].astype(np.int64),
        factor=np.broadcast_to(factor, n)[at].astype(np.float64),
        stop=np.broadcast_to(stop, n)[at].astype(np.float64),
        target=np.broadcast_to(target, n)[at].astype(np.float64),
        entry=np.full(len(at), np.nan),
        legs=np.full((len(at), 2), -1, np.int64),
        chain=np.full(len(at), -1, np.int64),
        tags=[
            tuple(word for word, applies in (tags or {}).items() if applies[k]) for k in at.tolist()
        ],
    )


def joined(parts: Sequence[Hits]) -> Hits:
    """Hits of one detector together, which all name the same evidence."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return (some or parts)[0]
    parts = some
    columns = ("rows", "side", "kind", "factor", "stop", "target", "entry", "legs", "chain")
    return Hits(
        **{name: np.concatenate([getattr(part, name) for part in parts]) for name in columns},
        evidence={
            name: np.concatenate([part.evidence[name] for part in parts])
            for name in parts[0].evidence
        },
        tags=[tags for part in parts for tags in part.tags],
    )


Function = Callable[[View, PatternSettings], Hits]


class Detector(msgspec.Struct, frozen=True):
    """A detector and its rules.

    Attributes:
        kinds: sub-types, each with its own cooldown and statistics; most have one without a name.
        edge: it fires only where the condition was false one bar before.
        evidence: names its hits bring; params: those its settings must have.
        words: a sentence for `explain`, with evidence names in braces.
    """

    name: str
    function: Function
    evidence: tuple[str, ...]
    params: tuple[str, ...]
    words: str
    needs: frozenset[Need] = frozenset()
    kinds: tuple[str, ...] = ("",)
    edge: bool = False

    def label(self, kind: int) -> str:
        """The pattern's name, with its sub-type."""
        return f"{self.name}.{self.kinds[kind]}" if self.kinds[kind] else self.name


_REGISTRY: dict[str, Detector] = {}


def detector(name: str, *, evidence: Sequence[str], params: Sequence[str], words: str,
             needs: Sequence[Need] = (), kinds: Sequence[str] = ("",),
             edge: bool = False) -> Callable[[Function], Function]:  # fmt: skip
    """Register a detector."""

    def register(function: Function) -> Function:
        _REGISTRY[name] = Detector(name, function, tuple(evidence), tuple(params), words,
                                   frozenset(needs), tuple(kinds), edge)  # fmt: skip
        return function

    return register


def registry() -> Mapping[str, Detector]:
    """All detectors by name."""
    return _REGISTRY


def check(patterns: Mapping[str, PatternSettings]) -> None:
    """Whether the settings fit the detectors.

    Raises:
        ConfigError: names the pattern and the key.
    """
    for name, settings in patterns.items():
        known = _REGISTRY.get(name)
        if known is None:
            raise ConfigError(
                f"thresholds.{name}: no such pattern; known: {', '.join(sorted(_REGISTRY))}"
            )
        for param in known.params:
            if param not in settings.params:
                raise ConfigError(f"thresholds.{name}.params.{param}: missing")
        for key in settings.params:
            if key not in known.params:
                raise ConfigError(
                    f"thresholds.{name}.params.{key}: unknown; expected {', '.join(known.params)}"
                )
        for key, marks in settings.ramps.items():
            if marks[0] == marks[1]:
                raise ConfigError(f"thresholds.{name}.ramps.{key}: expected two marks that differ; "
                                  f"got {marks}")  # fmt: skip
            if key not in known.evidence:
                raise ConfigError(
                    f"thresholds.{name}.ramps.{key}: no evidence of that name; "
                    f"there is {', '.join(known.evidence)}"
                )


class Trigger:
    """The firing rule of one pattern on one timeframe: warm-up, edge, cooldown.

    Cooldown counts bars of the row, as its history holds them, by side and kind; what a chain
    fires counts by the chain, since several may have one underlying.
    """

    def __init__(self, known: Detector, settings: PatternSettings, capacity: int) -> None:
        self.edge = known.edge
        self.cooldown = settings.cooldown_bars
        self.min_bars = settings.min_bars
        lanes = 3 * len(known.kinds)
        self._fired: I64 = np.full((lanes, capacity), -(1 << 40), np.int64)
        self._held: I64 = np.full((lanes, capacity), -(1 << 40), np.int64)

    def fire(self, hits: Hits, bars: I64) -> Bool:
        """Which hits fire; `bars`: the bar number of each hit, i64 (k,)."""
        lane = hits.kind * 3 + hits.side + 1
        rows = np.where(hits.chain >= 0, hits.chain, hits.rows)
        rested: Bool = bars - self._fired[lane, rows] >= self.cooldown
        if self.edge:
            rested &= self._held[lane, rows] != bars - 1
            self._held[lane, rows] = bars
        rested &= bars > self.min_bars
        self._fired[lane[rested], rows[rested]] = bars[rested]
        return rested


def look(known: Detector, view: View, settings: PatternSettings) -> tuple[Hits, Silence]:
    """Let a detector look, at rows that have what it needs."""
    silence = Silence()
    if "chains" in known.needs:
        view.silence = silence
        return known.function(view, settings), silence
    silence.counts["did not trade"] = max(view.market.rows.count - len(view), 0)
    keep = view.bars >= settings.min_bars  # one bar early, for those that fire on an edge
    silence.counts["warming up"] = int(np.count_nonzero(~keep))
    if "volume" in known.needs:
        keep &= _told(silence, "no volume", view.is_index, keep)
    if "previous_session" in known.needs:
        keep &= _told(silence, "no past session", np.isnan(view.previous_day[0]), keep)
    keep &= _told(silence, "no movement", np.isnan(view.atr), keep)
    return known.function(view if keep.all() else view.only(keep), settings), silence


def _told(silence: Silence, reason: str, lacking: Bool, keep: Bool) -> Bool:
    """Where nothing is lacking; of the rows kept so far the others are counted."""
    silence.counts[reason] = int(np.count_nonzero(lacking & keep))
    return ~lacking
