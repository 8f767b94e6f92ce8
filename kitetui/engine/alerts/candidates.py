"""Candidates: how strong firings are, what chance they have, and the alerts they would be."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from kitetui.engine.alerts.alert import Alert, alert_id
from kitetui.engine.feed.batch import F64
from kitetui.engine.market.instruments import ASSET_CLASSES, Rows
from kitetui.engine.patterns.calibration import Calibration, Calibrations, null_rate
from kitetui.engine.patterns.firing import Fired


class Candidates:
    """Weighs firings by what is known of their pattern, timeframe and asset class."""

    def __init__(self, rows: Rows, calibrations: Calibrations,
                 index_names: Mapping[str, str]) -> None:  # fmt: skip
        """`index_names`: what derivatives call an index, by the index's own symbol."""
        self._rows = rows
        self._index_names = index_names
        self._calibrations = calibrations

    def ranks(self, fired: Fired) -> F64:
        """How strong each firing is among those of its kind: f64 (k,), 0 to 1."""
        group = fired.hits.kind * len(ASSET_CLASSES) + self._rows.asset_class[fired.hits.rows]
        ranks = np.zeros(len(group))
        for one in np.unique(group).tolist():
            mine = np.flatnonzero(group == one)
            calibration = self._calibration(fired, int(mine[0]))
            ranks[mine] = calibration.confidence(fired.score[mine])
        return ranks

    def alert(self, fired: Fired, at: int, minutes: int, rank: float) -> Alert:
        """The alert that one firing would be; `minutes`: length of its bar."""
        hits = fired.hits
        row, side = int(hits.rows[at]), int(hits.side[at])
        symbol = self._rows.instruments[row].symbol
        pattern = fired.label(at)
        chain = int(hits.chain[at])
        about = self._rows.instruments[chain].expiry if chain >= 0 else ""
        bar_s = fired.start * 60
        entry, target, stop = (float(x[at]) for x in (fired.entry, fired.target, fired.stop))
        strength = float(fired.score[at])
        bare = Alert(
            alert_id=alert_id(symbol, f"{pattern} {about}".rstrip(), fired.timeframe, side, bar_s),
            symbol=symbol,
            token=int(self._rows.token[row]),
            pattern=pattern,
            about=about,
            underlying=self._underlying(chain if chain >= 0 else row),
            timeframe=fired.timeframe,
            side=side,
            bar_s=bar_s,
            at_s=bar_s + minutes * 60,
            price=entry,
            score=strength,
            confidence=rank,
            evidence={k: float(v[at]) for k, v in hits.evidence.items() if np.isfinite(v[at])},
            horizon_bars=fired.settings.horizon_bars,
            tags=hits.tags[at],
        )
        if not side or not np.isfinite(target + stop):
            return bare
        chance = self._calibration(fired, at).chance(strength, null_rate(target, stop))
        return msgspec.structs.replace(
            bare,
            target=entry + side * target,
            stop=entry - side * stop,
            p_hit=chance.p,
            p_low=chance.low,
            p_high=chance.high,
            p_outcomes=chance.n,
            calibrated=chance.calibrated,
            null_rate=chance.null,
            expected_r=chance.expected_r(target, stop),
        )

    def _underlying(self, row: int) -> str:
        """What a row moves with: the name of its derivatives."""
        instrument = self._rows.instruments[row]
        if instrument.kind in ("FUT", "CE", "PE"):
            return instrument.name or instrument.symbol
        return self._index_names.get(instrument.tradingsymbol, instrument.tradingsymbol)

    def _calibration(self, fired: Fired, at: int) -> Calibration:
        asset_class = ASSET_CLASSES[self._rows.asset_class[fired.hits.rows[at]]]
        return self._calibrations.of(fired.label(at), fired.timeframe, asset_class)
