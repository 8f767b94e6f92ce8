"""A screen's link to an engine that is not there: it shows one picture, and keeps what is asked."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TypeVar

from kitetui.engine.snapshot import Snapshot, View
from kitetui.link import LocalLink
from tests.widgets import views

T = TypeVar("T")


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
