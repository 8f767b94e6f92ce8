"""Studied: everything found in one bar file."""

from __future__ import annotations

import msgspec

from kitetui.engine.alerts.line import Line
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.profile import Levels, Profile
from kitetui.engine.market.structure import Pool
from kitetui.tools.bar_files import BarFile
from kitetui.tools.study_signals import Signals

DIVISOR = 10_000
"""Raw units in a rupee: the finest prices of any exchange fit."""
SWING_LENGTH = 5
EXTRA = ("volume_ratio", "same_minute", "volume_z", "realised_volatility")
"""Columns beside the indicators'."""


class Session(msgspec.Struct):
    """One session of a series: rupees and shares; opening range of its first 15 minutes."""

    date: str
    open: float
    high: float
    low: float
    close: float
    volume: int
    opening_high: float
    opening_low: float
    profile: Profile | None
    levels: Levels | None


class Studied(msgspec.Struct):
    """Everything found in one file.

    Attributes:
        values: f64 (k, len(NAMES) + len(EXTRA)), after each bar.
        outside: bars outside sessions, left out.
    """

    file: BarFile
    symbol: str
    tick: float
    starts: I64
    bars: I64
    values: F64
    swings: list[tuple[int, int, int]]
    gaps: list[list[int]]
    pools: list[Pool]
    sessions: list[Session]
    composite: Levels | None
    outside: int
    signals: Signals
    board: list[Line] = []
