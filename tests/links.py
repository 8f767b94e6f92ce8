"""A screen's link to an engine that is not there: it shows a picture, and keeps what is asked."""

from __future__ import annotations

from concurrent.futures import Future
from functools import cache
from typing import TypeVar

import msgspec

from kitetui.config import load
from kitetui.engine.alerts.desk import Desk
from kitetui.engine.alerts.operators import Operators
from kitetui.engine.commands import Command, Result
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.snapshot import Snapshot, View
from kitetui.engine.view.observe import Observer
from kitetui.link import LocalLink
from tests.alerts.candidates import SETTINGS
from tests.samples import market_day
from tests.widgets import views

T = TypeVar("T")


@cache
def market() -> Observer:
    """Some minutes of a simulated session, as an engine knows them at their end."""
    pipeline = Pipeline(load(), 200)
    pipeline.apply(market_day(5, start="09:40"))
    return Observer(pipeline)


def answered(told: T) -> Future[T]:
    """An answer that is there."""
    out: Future[T] = Future()
    out.set_result(told)
    return out


class PictureLink(LocalLink):
    """Shows one picture; `command` is for whoever keeps what is asked."""

    def __init__(self) -> None:
        super().__init__(None)  # type: ignore[arg-type]
        self.ready = True
        self.picture = views.snapshot()

    def start(self) -> None:
        """Nothing to start."""

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        return answered(self.picture)


class MarketLink(PictureLink):
    """Shows a market that stands still, as it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.observer = market()
        self.asked: list[View] = []

    @property
    def now_s(self) -> int:
        """The session second that the market has reached."""
        return self.observer.pipeline.session_s

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        self.asked.append(wanted)
        looked = self.observer.market(wanted, self.now_s)
        return answered(msgspec.structs.replace(self.picture, **looked))


class DeskLink(PictureLink):
    """A real desk with so many alerts, beside a market that stands still."""

    def __init__(self, alerts: int = 3) -> None:
        super().__init__()
        self.desk = Desk(SETTINGS)
        self.operators = Operators(SETTINGS, self.desk)
        self.asked: list[View] = []
        self.bells = 0
        for n in reversed(range(alerts)):
            self.desk.raise_alert(views.alert(n))

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        self.asked.append(wanted)
        rows = self.picture.watch[wanted.watch_from : wanted.watch_from + wanted.watch_count]
        return answered(views.snapshot(
            alerts=tuple(self.desk.newest(wanted.alerts)), watch=rows,
            watch_from=wanted.watch_from,
            header=views.header(unacked=self.desk.unacked, alerts=len(self.desk),
                                bells=self.bells),
            explained=("SYM0 [b]in words[/b]", "line \x1b[31mtwo")
            if self.desk.get(wanted.explain) else (),
            listed=("10:00:01 P3 RELIANCE breakout", "10:00:00 P3 TCS breakout")
            if wanted.history or wanted.actors else (),
            silences=("kow_signal_straddle 1m  no VWAP 2",) if wanted.silence else (),
        ))  # fmt: skip

    def command(self, command: Command) -> Future[Result]:
        return answered(self.operators.obey(command, 1_000_000_000, int(views.NOW_S)))
