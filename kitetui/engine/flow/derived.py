"""What one batch of records led to."""

from __future__ import annotations

import msgspec

from kitetui.engine.alerts.alert import Alert, AlertOutcome
from kitetui.engine.alerts.desk import Transition
from kitetui.engine.alerts.flood import Notice
from kitetui.engine.alerts.gate import Departure
from kitetui.engine.alerts.news_item import NewsItem
from kitetui.engine.alerts.outcomes import Resolved
from kitetui.engine.commands import Result
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.market.bars import ClosedBars
from kitetui.engine.market.normalise import Run
from kitetui.engine.patterns.firing import Fired


class Event(msgspec.Struct, frozen=True):
    """Something a person may want to know, at a session second."""

    at_s: int
    source: str
    text: str


class Followed(msgspec.Struct):
    """Firings whose outcome is followed: all (k,).

    Attributes:
        rank: f64, confidence; null: f64, the rate to hit by chance alone.
        exit: i64, how each left the gate, `Exit`.
        number: i64, by which `Resolved` names them; -1 where they are not followed.
    """

    fired: Fired
    rank: F64
    null: F64
    exit: I64
    number: I64


class Derived(msgspec.Struct):
    """What one batch of records led to.

    Attributes:
        runs: normalised ticks, in order.
        bars: bars that closed, as (timeframe name, bars); mended: minutes that the exchange's
            history told after a gap, or where their volume was uncertain.
        alerts: alerts raised; changed: others that are otherwise than before.
        outcomes: what became of alerts.
        transitions: for the ledger, before anybody is told; notices: what people are told.
        results: what became of each command.
        fired: everything that fired, told or not; resolved: outcomes that became known.
        news: headlines that were not known.
        departures: candidates that became no alert, for the ledger.
    """

    runs: list[Run] = msgspec.field(default_factory=list)
    bars: list[tuple[str, ClosedBars]] = msgspec.field(default_factory=list)
    mended: list[ClosedBars] = msgspec.field(default_factory=list)
    alerts: list[Alert] = msgspec.field(default_factory=list)
    changed: list[Alert] = msgspec.field(default_factory=list)
    results: list[Result] = msgspec.field(default_factory=list)
    fired: list[Followed] = msgspec.field(default_factory=list)
    resolved: list[Resolved] = msgspec.field(default_factory=list)
    news: list[NewsItem] = msgspec.field(default_factory=list)
    outcomes: list[AlertOutcome] = msgspec.field(default_factory=list)
    transitions: list[Transition] = msgspec.field(default_factory=list)
    notices: list[Notice] = msgspec.field(default_factory=list)
    departures: list[Departure] = msgspec.field(default_factory=list)
