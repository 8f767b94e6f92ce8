"""Conditions: how the engine's own health becomes alerts; delays keep blinks from people."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kitetui.engine.alerts.alert import Alert, Key, Origin, Priority, alert_id
from kitetui.engine.alerts.flap import Flaps
from kitetui.settings import SystemAlertSettings

SCOPES_MAX = 500
SAMPLE_S = 5
"""Seconds between two looks at whether a condition flaps."""


class Condition(msgspec.Struct, frozen=True):
    """One condition of the engine's health, as it is now.

    Attributes:
        name: as the settings name it; scope: what it is about, such as `feed` or a stream.
        text: what a person needs to know, in a sentence.
    """

    name: str
    scope: str
    active: bool
    text: str = ""


class _Held(msgspec.Struct):
    """A condition that is or was active: since when it is as it is."""

    condition: Condition
    since_s: int
    raised: str = ""
    flapping: bool = False


class Raised(msgspec.Struct, frozen=True):
    """What a tick led to: candidates, and the ids of alerts whose condition is over."""

    candidates: list[Alert]
    over: list[str]
    notes: list[str]


class Conditions:
    """Holds conditions until they have lasted; a pure function of what it was told and time."""

    def __init__(self, settings: Mapping[str, SystemAlertSettings], flap_start: float,
                 flap_stop: float) -> None:  # fmt: skip
        self._settings = settings
        self._held: dict[tuple[str, str], _Held] = {}
        self._flaps = Flaps(flap_start, flap_stop)

    def tell(self, condition: Condition, at_s: int) -> None:
        """A condition is met, has other words, or is over."""
        if condition.name not in self._settings:
            return
        place = condition.name, condition.scope
        held = self._held.get(place)
        if held is None:
            if condition.active and len(self._held) < SCOPES_MAX:
                self._held[place] = _Held(condition, at_s)
        elif held.condition.active == condition.active:
            held.condition = condition
        else:
            held.condition, held.since_s = condition, at_s

    def inhibits(self) -> bool:
        """Whether an alert is raised that makes prices doubtful."""
        return any(
            held.raised and self._settings[name].inhibits for (name, _), held in self._held.items()
        )

    def tick(self, at_s: int) -> Raised:
        """What has lasted by now."""
        out = Raised([], [], [])
        for place, held in list(self._held.items()):
            settings = self._settings[place[0]]
            active = held.condition.active
            self._sample(place, held, at_s, out)
            lasted = at_s - held.since_s
            if active and not held.raised and not 0 <= lasted < settings.on_delay_s:
                alert = self._alert(held.condition, settings, at_s)
                held.raised = alert.alert_id
                out.candidates.append(alert)
            elif not active and not held.raised:
                out.notes.append(f"{' '.join(place)} came and went")
                del self._held[place]
            elif not active and not 0 <= lasted < settings.off_delay_s:
                out.over.append(held.raised)
                del self._held[place]
        return out

    def _sample(self, place: tuple[str, str], held: _Held, at_s: int, out: Raised) -> None:
        flapping = self._flaps.sample(place, at_s // SAMPLE_S, held.condition.active)
        if flapping != held.flapping:
            words = "starts" if flapping else "stops"
            out.notes.append(f"{' '.join(place)} {words} flapping")
            held.flapping = flapping

    def _alert(self, condition: Condition, settings: SystemAlertSettings, at_s: int) -> Alert:
        key = Key(condition.scope, condition.name, "", 0)
        return Alert(
            alert_id=alert_id(*key, at_s), symbol=key.symbol, token=0, pattern=key.rule,
            timeframe="", side=0, bar_s=at_s, at_s=at_s, price=0.0, score=1.0, confidence=1.0,
            evidence={}, origin=Origin.SYSTEM, priority=Priority[settings.priority],
            message=condition.text,
        )  # fmt: skip
