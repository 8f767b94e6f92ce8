"""A screen's link to an engine that is not there: it shows one picture, and keeps what is asked."""

from __future__ import annotations

from concurrent.futures import Future
from functools import cache
from typing import TypeVar

import msgspec

from kitetui.config import load
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.snapshot import Snapshot, View
from kitetui.engine.view.observe import Observer
from kitetui.link import LocalLink
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
