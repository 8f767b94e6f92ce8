"""Raising: firings become alerts with a plan, and are followed to their outcome."""

from __future__ import annotations

import msgspec
import numpy as np

from kitetui.engine.alerts.alert import Alert, AlertOutcome, Thresholds
from kitetui.engine.alerts.alerting import Alerting
from kitetui.engine.alerts.barriers import Outcome
from kitetui.engine.alerts.candidates import Candidates
from kitetui.engine.alerts.conditions import Condition
from kitetui.engine.alerts.gate import Exit
from kitetui.engine.alerts.newsroom import Newsroom
from kitetui.engine.alerts.outcomes import OutcomeDesk, Resolved
from kitetui.engine.alerts.risk import Risk
from kitetui.engine.calendar import ist_day
from kitetui.engine.flow.derived import Derived, Followed
from kitetui.engine.market.bars import FLAGS
from kitetui.engine.market.market import FrameBars, Market
from kitetui.engine.patterns.calibration import Calibrations, null_rate
from kitetui.engine.patterns.firing import Fired
from kitetui.settings import Settings


class Raising:
    """Between the detectors and the alert stage; a pure function of firings and bars.

    Attributes:
        candidates: weighs firings; outcomes: follows them; risk: plans.
    """

    def __init__(self, settings: Settings, market: Market, calibrations: Calibrations,
                 newsroom: Newsroom, alerting: Alerting) -> None:  # fmt: skip
        self.settings = settings
        self.market = market
        self.newsroom = newsroom
        self.alerting = alerting
        self.candidates = Candidates(market.rows, calibrations, settings.options.index_names)
        self.outcomes = OutcomeDesk()
        self.risk = Risk(settings.risk)
        self._alert_of: dict[int, str] = {}
        self._number_of: dict[str, int] = {}

    def settle(self, told: FrameBars, out: Derived) -> None:
        """What earlier firings come to by bars that closed."""
        minutes, bars = told.frame.minutes, told.bars
        found = [self.outcomes.take(minutes, bars, self.market.rows.divisor, bars.values[FLAGS])]
        if minutes == 1:
            buy_back = self.market.chain_reader.buy_back
            found.append(self.outcomes.minute(bars, bars.values[FLAGS], buy_back))
        for resolved in found:
            if resolved is not None:
                out.resolved.append(resolved)
                self._over(resolved, out)

    def _over(self, resolved: Resolved, out: Derived) -> None:
        """Alerts whose outcome is known: their condition is over, and so is what was taken."""
        columns = (resolved.number, resolved.outcome, resolved.r, resolved.exit, resolved.bars)
        for number, outcome, r, price, bars in zip(*(c.tolist() for c in columns), strict=True):
            alert_id = self._alert_of.pop(number, "")
            if not alert_id:
                continue
            self.risk.close(alert_id, 0.0 if outcome == Outcome.UNRESOLVABLE else r)
            name = Outcome(outcome).name.lower()
            out.outcomes.append(AlertOutcome(alert_id, name, r, price, bars, resolved.at_s))
            if self._number_of.get(alert_id) == number:  # else a newer one counts
                del self._number_of[alert_id]
                self.alerting.desk.over(alert_id, name, resolved.at_s)
        self.tell_drawdown(resolved.at_s)

    def raise_from(self, fired: Fired, minutes: int, out: Derived) -> None:
        ranks = self.candidates.ranks(fired)
        exits = self.alerting.gate.screen(ranks, fired.flags != 0)
        _, closes = self.market.session_minutes(fired.start, fired.hits.rows)
        thresholds = Thresholds.of(fired.settings)
        offered: list[tuple[int, Alert]] = []
        for at in np.flatnonzero(exits == Exit.ADMITTED).tolist():
            alert = self.candidates.alert(fired, at, minutes, float(ranks[at]))
            instrument = self.market.rows.instruments[int(fired.hits.rows[at])]
            alert = msgspec.structs.replace(
                alert, thresholds=thresholds,
                tags=alert.tags + self.newsroom.tags(instrument, alert.at_s),
                valid_until_s=alert.at_s + alert.horizon_bars * minutes * 60,
                session_end_s=int(closes[at]) * 60,
            )  # fmt: skip
            alert = self._planned(self.alerting.weigh(alert), fired, at)
            exits[at] = self.alerting.offer(alert)
            if exits[at] == Exit.ADMITTED:
                self.risk.take(alert)
            offered.append((at, alert))
        until = closes - self.settings.outcomes.force_close_min
        numbers = self.outcomes.follow(minutes, fired, until)
        followed = Followed(fired, ranks, null_rate(fired.target, fired.stop), exits, numbers)
        for at, alert in offered:
            episode = self.alerting.desk.open_episode(alert.key)
            number = int(followed.number[at])
            if episode is not None and number >= 0 and exits[at] in (Exit.ADMITTED, Exit.MERGED):
                self._alert_of[number] = episode.alert_id
                self._number_of[episode.alert_id] = number
        out.fired.append(followed)

    def _planned(self, alert: Alert, fired: Fired, at: int) -> Alert:
        """An alert with how much of it to take."""
        self.risk.begin(ist_day(alert.at_s))
        row, sold = int(fired.hits.rows[at]), fired.hits.legs[at, 0] >= 0
        instrument = self.market.rows.instruments[int(fired.hits.legs[at, 0]) if sold else row]
        lot = 0 if instrument.is_index else max(instrument.lot_size, 1)
        bid, ask = self.market.quote(row)
        entry = alert.price if sold else ask if alert.side > 0 else bid
        spread = 0.0 if sold or not ask > bid > 0 else ask - bid
        of = "options" if sold else instrument.asset_class
        costs = self.settings.outcomes.costs_pct[of] / 100 * alert.price
        plan = self.risk.plan(alert, entry if entry > 0 else alert.price, lot, spread, costs)
        return alert if plan is None else msgspec.structs.replace(alert, plan=plan)

    def tell_drawdown(self, at_s: int) -> None:
        """Losses on paper are, or are no longer, as deep as they may be."""
        blocked = self.risk.blocked
        self.alerting.condition(Condition("drawdown", "risk", bool(blocked), blocked), at_s)
