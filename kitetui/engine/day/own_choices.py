"""What users chose in a running engine: rules and thresholds, taken up again by the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from kitetui.engine.clock import sleep
from kitetui.engine.commands import AddRule, Command, Tune
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.list_file import ListFile
from kitetui.places import Places

T = TypeVar("T")
LOOK_S = 1.0
SETTINGS = "settings"
"""The actor of rules that the settings have: these are not written down."""


class SavedRule(msgspec.Struct, frozen=True):
    """A rule as text, its end, and whose it is."""

    text: str
    until_s: int
    actor: str


class SavedThreshold(msgspec.Struct, frozen=True):
    """A threshold that is not as the files have it, in JSON, and who changed it."""

    key: str
    value: str
    actor: str


class OwnChoices:
    """Written down as they change."""

    def __init__(self, places: Places, pipeline: Pipeline,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._pipeline = pipeline
        self._rules = ListFile(places.rules, SavedRule)
        self._thresholds = ListFile(places.thresholds, SavedThreshold)
        self._note = note
        self._failed: dict[str, str] = {}
        self._writing = asyncio.Lock()

    def from_before(self, now_s: float) -> list[Command]:
        """What earlier engines were told, and is not over."""
        return [
            *(Tune(saved.key, saved.value, saved.actor) for saved in self._read(self._thresholds)),
            *(AddRule(saved.text, saved.actor, saved.until_s)
              for saved in self._read(self._rules) if saved.until_s > now_s),
        ]  # fmt: skip

    async def run(self) -> None:
        """Keep them, for ever: rules whose time is over leave by themselves."""
        while True:
            await sleep(LOOK_S)
            await self.keep()

    async def keep(self) -> None:
        """Write them down where they changed; where that fails it is tried again every time."""
        async with self._writing:
            await self._keep("rules", self._rules, [
                SavedRule(rule.text, rule.until_s, rule.actor)
                for rule in self._pipeline.alerting.rules if rule.actor != SETTINGS
            ])  # fmt: skip
            await self._keep("thresholds", self._thresholds, [
                SavedThreshold(key, value, actor)
                for key, (value, actor) in self._pipeline.tuning.values.items()
            ])  # fmt: skip

    async def _keep(self, what: str, file: ListFile[T], items: Sequence[T]) -> None:
        try:
            await file.keep(items)
            self._failed.pop(what, None)
        except OSError as error:
            failed = error.strerror or str(error)
            if failed != self._failed.get(what):
                self._note("desk", f"{what} cannot be written down: {failed}")
            self._failed[what] = failed

    def _read(self, file: ListFile[T]) -> Sequence[T]:
        try:
            return file.read()
        except OSError as error:
            self._note("desk", f"{error.filename}: {error.strerror}")
            return []
