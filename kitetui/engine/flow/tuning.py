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
from kitetui.engine.market.timeframe import DEPTHS, timeframe_name
from kitetui.engine.patterns.registry import check
from kitetui.settings import AlertSettings, PatternSettings, Settings

OF_PATTERNS, OF_ALERTS = "thresholds", "alerts"
ALERT_KEYS = ("min_confidence", "cooldown_minutes", "pierce_confidence")
FIXED = ("timeframes", "min_bars")
"""What a detector is built by at the start: these wait for a reload."""
CHANGES_KEPT = 200
VALUE_MAX = 200
PARAMETER_MAX = 1_000_000
_SWITCHES = {"on": True, "yes": True, "off": False, "no": False}


class Change(msgspec.Struct, frozen=True):
    """A threshold that was changed.

    Attributes:
        before, after: what was in force, in JSON; owner: who had made it so before, '' the files.
    """

    at_s: int
    actor: str
    key: str
    before: str
    after: str
    owner: str


class Unfit(Exception):
    """A value that does not do for its threshold; says why."""


class Tuning:
    """Thresholds in force: those of the files, and over them what operators changed.

    Attributes:
        patterns, alerts: the settings in force.
        values: what differs from the files, in JSON by its key, and who changed it; in the order
            in which they were changed.
        changes: that may be taken back, newest last.
        pinned: keys that stay as the settings have them, whatever was recorded: of a what-if.
    """

    NOT_STATE = ("patterns", "alerts", "pinned", "_made")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.patterns: dict[str, PatternSettings] = settings.patterns
        self.alerts: AlertSettings = settings.alerts
        self.pinned: frozenset[str] = frozenset()
        self.values: dict[str, tuple[str, str]] = {}
        self.changes: deque[Change] = deque(maxlen=CHANGES_KEPT)
        self._made: dict[str, tuple[str, str]] = {}

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

    def in_force(self, key: str) -> str:
        """The value of a threshold, in JSON.

        Raises:
            KeyError: there is no such threshold.
        """
        return self.values[key][0] if key in self.values else self.keys()[key]

    def renew(self) -> bool:
        """Have the settings follow the values, as after a checkpoint; whether they changed."""
        if self._made == self.values:
            return False
        self.patterns, self.alerts = self._with({k: v for k, (v, _) in self.values.items()})
        self._made = dict(self.values)
        return True

    def obey(self, command: Tune | Untune, at_s: int) -> Result:
        """Change a threshold, or take the actor's last change back; a refusal says why."""
        actor = command.actor[:64]
        if isinstance(command, Untune):
            return self._take_back(actor)
        of_files = self.keys()
        if command.key not in of_files:
            near = get_close_matches(command.key[:VALUE_MAX], of_files, 3, 0.4)
            hint = f"; near to it: {', '.join(near)}" if near else ""
            return Result(False, f"{command.key[:80]} is no threshold that can be changed{hint}")
        if command.key in self.pinned:
            return Result(False, f"{command.key} is given for this run, and stays")
        typed = _parsed(command.value) if command.value else of_files[command.key]
        if typed is None:
            return Result(False, f"{command.value[:40]!r} is no value; one is written like "
                          "2.5, off or [2.2, 6]")  # fmt: skip
        try:
            value = self._fit(command.key, typed)
        except Unfit as error:
            return Result(False, f"{command.key}: {error}")
        before = self.in_force(command.key)
        if value == before:
            return Result(True, f"{command.key} is {before} already")
        owner = self.values.get(command.key, ("", ""))[1]
        self.changes.append(Change(at_s, actor, command.key, before, value, owner))
        self._put(command.key, value, actor)
        return Result(True, f"{command.key}: {before} became {value}, by {actor}")

    def _take_back(self, actor: str) -> Result:
        at = next((n for n in reversed(range(len(self.changes)))
                   if self.changes[n].actor == actor), -1)  # fmt: skip
        if at < 0:
            return Result(False, "you have changed no threshold that could be taken back")
        last = self.changes[at]
        del self.changes[at]
        if last.key in self.pinned:
            return Result(False, f"{last.key} is given for this run, and stays")
        now = self.in_force(last.key)
        if now != last.after:
            return Result(False, f"{last.key} was changed since, to {now}; it stays")
        self._put(last.key, last.before, last.owner)
        return Result(True, f"{last.key} is {last.before} again, by {actor}")

    def _put(self, key: str, value: str, owner: str) -> None:
        """Have a value in force that fits."""
        self.values.pop(key, None)
        if value != self.keys()[key]:
            self.values[key] = value, owner
        self.renew()

    def _fit(self, key: str, value: str) -> str:
        """A value as its threshold's own type has it.

        Raises:
            Unfit: it does not do.
        """
        others = {k: v for k, (v, _) in self.values.items()}
        try:
            patterns, alerts = self._with({**others, key: value})
        except (msgspec.ValidationError, ConfigError) as error:
            raise Unfit(str(error).partition(" - at ")[0]) from None
        section, name, *path = key.split(".")
        if section == OF_ALERTS:
            return _text(getattr(alerts, name))
        mine = self._settings.patterns[name]
        if path == ["enabled"] and not mine.enabled:
            raise Unfit("it was off when the engine started; switch it on in thresholds.yaml and "
                        "reload")  # fmt: skip
        found: Any = msgspec.to_builtins(patterns[name])
        for part in path:
            found = found[part]
        if path[0] == "params":
            _bounded(path[1], found, mine)
        return _text(found)

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


def _bounded(name: str, value: float, settings: PatternSettings) -> None:
    """Whether a parameter is one that a detector can look with.

    Raises:
        Unfit: it is not.
    """
    if abs(value) > PARAMETER_MAX:
        raise Unfit(f"expected at most {PARAMETER_MAX:,}")
    if name.endswith("_bars"):
        held = min(depth for minutes, depth in DEPTHS.items()
                   if timeframe_name(minutes) in settings.timeframes)  # fmt: skip
        most = max(held // 2, int(settings.params[name]))
        if value != int(value) or not 1 <= value <= most:
            raise Unfit(f"expected a whole number of bars from 1 to {most}")


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
