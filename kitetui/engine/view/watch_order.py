"""Which rows of the market a watchlist shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kitetui.engine.feed.batch import COLUMNS, F64, I64
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.instruments import ASSET_CLASSES
from kitetui.engine.snapshot import Watching

KEPT = 16
"""Orders that are kept, one for each way that somebody looks at the market."""
FOUND_MAX = 20
FOCUS = "focus"
_AT = {name: place for place, name in enumerate(COLUMNS)}


class WatchOrder:
    """Rows as somebody looks at them; the order changes once a second, not with every frame."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._p = pipeline
        self._known: dict[Watching, tuple[tuple[int, int], I64]] = {}
        self._shown: dict[tuple[str, str], tuple[int, I64]] = {}
        self._groups: tuple[int, tuple[tuple[str, int], ...]] = (-1, ())
        self._rank: I64 = np.zeros(0, np.int64)
        self._words: list[str] = []
        self._focus: set[str] = set(pipeline.settings.focus)

    def rows(self, wanted: Watching) -> I64:
        """Row numbers in order, i64 (shown,); those of equal value stay as subscribed."""
        rows = self._p.market.rows
        at = (rows.count, self._p.session_s)
        known = self._known.get(wanted)
        if known is not None and known[0] == at:
            return known[1]
        found = self._sorted(wanted, self._wanted(wanted))
        if known is None and len(self._known) >= KEPT:
            self._known.pop(next(iter(self._known)))
        self._known[wanted] = at, found
        return found

    def found(self, text: str) -> tuple[tuple[str, int], ...]:
        """Symbols that hold a text, with their tokens; those that begin with it first."""
        wanted, rows = text.upper().strip(), self._p.market.rows
        hits = [
            (rows.instruments[at].symbol, at)
            for at, words in enumerate(self._texts()) if wanted in words
        ]  # fmt: skip
        hits.sort(key=lambda hit: (not hit[0].upper().startswith(wanted), len(hit[0]), hit[0]))
        return tuple((symbol, int(rows.token[at])) for symbol, at in hits[:FOUND_MAX])

    def groups(self) -> tuple[tuple[str, int], ...]:
        """Names of the groups that have instruments, and how many."""
        rows = self._p.market.rows
        if self._groups[0] != rows.count:
            counts = np.bincount(rows.asset_class[: rows.count], minlength=len(ASSET_CLASSES))
            own = sum(i.symbol in self._focus for i in rows.instruments)
            found = [(FOCUS, own), *zip(ASSET_CLASSES, counts.tolist(), strict=True)]
            self._groups = rows.count, tuple((name, count) for name, count in found if count)
        return self._groups[1]

    def _wanted(self, wanted: Watching) -> I64:
        """Rows that are shown, i64 (shown,); found anew only where rows came."""
        count, key = self._p.market.rows.count, (wanted.group, wanted.text)
        known = self._shown.get(key)
        if known is None or known[0] != count:
            if known is None and len(self._shown) >= KEPT:
                self._shown.pop(next(iter(self._shown)))
            known = self._shown[key] = count, np.flatnonzero(self._mask(wanted))
        return known[1]

    def _mask(self, wanted: Watching) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        rows = self._p.market.rows
        if wanted.group == FOCUS:
            mine = [i.symbol in self._focus for i in rows.instruments]
            keep = np.array(mine, bool)
        elif wanted.group in ASSET_CLASSES:
            keep = rows.asset_class[: rows.count] == ASSET_CLASSES.index(wanted.group)
        else:
            keep = np.ones(rows.count, bool)
        for word in wanted.text.upper().split():
            inverse, part = word.startswith("!"), word.lstrip("!")
            if part:
                keep &= np.array([(part in text) != inverse for text in self._texts()], bool)
        return keep

    def _ranks(self) -> I64:
        """Each row's place among all symbols, i64 (rows,)."""
        rows = self._p.market.rows
        if len(self._rank) != rows.count:
            order = sorted(range(rows.count), key=lambda at: rows.instruments[at].symbol)
            self._rank = np.empty(rows.count, np.int64)
            self._rank[order] = np.arange(rows.count)
        return self._rank

    def _texts(self) -> list[str]:
        """What a filter looks in: symbol and name of each row."""
        rows = self._p.market.rows
        if len(self._words) != rows.count:
            self._words = [f"{i.symbol} {i.name}".upper() for i in rows.instruments]
        return self._words

    def _sorted(self, wanted: Watching, rows: I64) -> I64:
        value = _VALUES.get(wanted.sort)
        if wanted.sort == "symbol":
            order = np.argsort(self._ranks()[rows], kind="stable")
            return rows[order[::-1] if wanted.reverse else order]
        if value is None:
            return rows[::-1] if wanted.reverse else rows
        values = value(self._p, rows)
        # The most of it first; what is unknown comes last either way.
        order = np.argsort(values if wanted.reverse else -values, kind="stable")
        return rows[order]


def _price(p: Pipeline, rows: I64) -> F64:
    cols = p.market.packets.cols[rows]
    prices = cols[:, _AT["ltp"]] / p.market.rows.divisor[rows]
    return np.where(p.market.packets.length[rows] > 0, prices, np.nan)


def _change(p: Pipeline, rows: I64) -> F64:
    cols = p.market.packets.cols[rows].astype(np.float64)
    close = cols[:, _AT["close"]]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(close > 0, cols[:, _AT["ltp"]] / close - 1, np.nan)


def _volume(p: Pipeline, rows: I64) -> F64:
    return p.market.packets.cols[rows][:, _AT["volume"]].astype(np.float64)


def _interest(p: Pipeline, rows: I64) -> F64:
    return p.market.packets.cols[rows][:, _AT["oi"]].astype(np.float64)


def _age(p: Pipeline, rows: I64) -> F64:
    seen = p.market.packets.length[rows] > 0
    return np.where(seen, p.session_s - p.market.normaliser.last_seen_s[rows], np.nan)


_VALUES: dict[str, Callable[[Pipeline, I64], F64]] = {
    "price": _price, "change": _change, "volume": _volume, "oi": _interest, "age": _age,
}  # fmt: skip
