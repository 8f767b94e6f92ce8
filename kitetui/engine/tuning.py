"""Tuning: thresholds that operators change while the engine runs, and what they were before.

A pure function of the commands in their order; the settings that the files gave are never touched.
"""

from __future__ import annotations

from collections import deque
from difflib import get_close_matches
from typing import Any

import msgspec

from kitetui.config import ConfigError
from kitetui.engine.commands import Result, Tune, Untune
from kitetui.engine.patterns.registry import check
from kitetui.settings import AlertSettings, PatternSettings, Settings

OF_PATTERNS, OF_ALERTS = "thresholds", "alerts"
ALERT_KEYS = ("min_confidence", "cooldown_minutes", "pierce_confidence")
FIXED = ("timeframes", "min_bars")
"""What a detector is built by at the start: these wait for a reload."""
CHANGES_KEPT = 200
VALUE_MAX = 200
_SWITCHES = {"on": True, "yes": True, "off": False, "no": False}


class Change(msgspec.Struct, frozen=True):
    """A threshold that was changed; `before` and `after` are what was in force, in JSON."""

    at_s: int
    actor: str
    key: str
    before: str
    after: str


class Tuning:
    """Thresholds in force: those of the files, and over them what operators changed.

    Attributes:
        patterns, alerts: the settings in force.
        values: what differs from the files, in JSON by its key, and who changed it.
        version: counts changes, for whoever has to take them over.
        changes: that may be taken back, newest last.
    """

    NOT_STATE = ("patterns", "alerts", "_made")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.patterns: dict[str, PatternSettings] = settings.patterns
        self.alerts: AlertSettings = settings.alerts
        self.values: dict[str, tuple[str, str]] = {}
        self.changes: deque[Change] = deque(maxlen=CHANGES_KEPT)
        self.version = self._made = 0

    def keys(self) -> dict[str, str]:
        """Every threshold that can be changed, and what the files say, in JSON."""
        out = {f"{OF_ALERTS}.{key}": _text(getattr(self._settings.alerts, key))
               for key in ALERT_KEYS}  # fmt: skip
        for name, settings in sorted(self._settings.patterns.items()):
            for field, value in msgspec.to_builtins(settings).items():
                at = f"{OF_PATTERNS}.{name}.{field}"
                if isinstance(value, dict):
                    out |= {f"{at}.{key}": _text(one) for key, one in value.items()}
                elif field not in FIXED:
                    out[at] = _text(value)
        return out

    def renew(self) -> bool:
        """Have the settings follow the values, as after a checkpoint; whether they changed."""
        if self._made == self.version:
            return False
        self.patterns, self.alerts = self._with({k: v for k, (v, _) in self.values.items()})
        self._made = self.version
        return True

    def obey(self, command: Tune | Untune, at_s: int) -> Result:
        """Change a threshold, or take the actor's last change back; a refusal says why."""
        actor = command.actor[:64]
        if isinstance(command, Untune):
            return self._take_back(actor, at_s)
        of_files = self.keys()
        if command.key not in of_files:
            near = get_close_matches(command.key[:VALUE_MAX], of_files, 3, 0.4)
            hint = f"; near to it: {', '.join(near)}" if near else ""
            return Result(False, f"{command.key[:80]} is no threshold that can be changed{hint}")
        value = _parsed(command.value) if command.value else of_files[command.key]
        if value is None:
            return Result(False, f"{command.value[:40]!r} is no value; one is written like "
                          "2.5, off or [2.2, 6]")  # fmt: skip
        before = self.in_force(command.key, of_files)
        if value == before:
            return Result(True, f"{command.key} is {before} already")
        if refused := self._put(command.key, value, of_files[command.key], actor):
            return Result(False, f"{command.key}: {refused}")
        self.changes.append(Change(at_s, actor, command.key, before, value))
        return Result(True, f"{command.key}: {before} became {value}, by {actor}")

    def in_force(self, key: str, of_files: dict[str, str]) -> str:
        """The value of a key, in JSON."""
        return self.values[key][0] if key in self.values else of_files[key]

    def _take_back(self, actor: str, at_s: int) -> Result:
        last = next((c for c in reversed(self.changes) if c.actor == actor), None)
        if last is None:
            return Result(False, "you have changed no threshold that could be taken back")
        self.changes.remove(last)
        of_files = self.keys()
        now = self.in_force(last.key, of_files)
        if now != last.after:
            return Result(False, f"{last.key} was changed since, to {now}; it stays")
        if refused := self._put(last.key, last.before, of_files[last.key], actor):
            return Result(False, f"{last.key}: {refused}")
        return Result(True, f"{last.key} is {last.before} again, by {actor}")

    def _put(self, key: str, value: str, of_files: str, actor: str) -> str:
        """Have a value in force; why not, or ''."""
        values = {**self.values, key: (value, actor)}
        if value == of_files:
            del values[key]
        try:
            self._with({k: v for k, (v, _) in values.items()})
        except (msgspec.ValidationError, ConfigError) as error:
            return str(error).partition(" - at ")[0]
        if key.endswith(".enabled") and not self._settings.patterns[key.split(".")[1]].enabled:
            return "it was off when the engine started; switch it on in thresholds.yaml and reload"
        self.values.clear()
        self.values.update(values)
        self.version += 1
        self.renew()
        return ""

    def _with(self, values: dict[str, str]) -> tuple[dict[str, PatternSettings], AlertSettings]:
        """The settings with some values.

        Raises:
            msgspec.ValidationError, ConfigError: a value is none for its key.
        """
        alerts, patterns = self._settings.alerts, dict(self._settings.patterns)
        trees: dict[str, Any] = {}
        for key, value in values.items():
            section, name, *path = key.split(".")
            told = msgspec.json.decode(value)
            if section == OF_ALERTS:
                tree = trees.setdefault(OF_ALERTS, msgspec.to_builtins(self._settings.alerts))
                tree[name] = told
                continue
            tree = trees.setdefault(name, msgspec.to_builtins(self._settings.patterns[name]))
            for part in path[:-1]:
                tree = tree[part]
            tree[path[-1]] = told
        for name, tree in trees.items():
            if name == OF_ALERTS:
                alerts = msgspec.convert(tree, AlertSettings)
            else:
                patterns[name] = msgspec.convert(tree, PatternSettings)
        check(patterns)
        return patterns, alerts


def _parsed(text: str) -> str | None:
    """A typed value in JSON; None where it is none."""
    typed = text.strip()
    if typed.lower() in _SWITCHES:
        return _text(_SWITCHES[typed.lower()])
    if len(typed) > VALUE_MAX:
        return None
    try:
        return _text(msgspec.json.decode(typed))
    except msgspec.DecodeError:
        return None


def _text(value: Any) -> str:
    return msgspec.json.encode(value).decode()
