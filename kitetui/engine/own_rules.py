"""The user's own rules in a running engine: taken up at its start, written down as they change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from kitetui.engine.alerts.rule_text import Rule
from kitetui.engine.commands import AddRule
from kitetui.engine.sinks.rule_file import RuleFile

SETTINGS = "settings"
"""The actor of rules that the settings have: these are not written down."""


class OwnRules:
    """Rules from the settings and from before."""

    def __init__(self, path: Path, note: Callable[[str, str], None]) -> None:
        self._file = RuleFile(path)
        self._note = note
        self._failed = ""

    def from_before(self, now_s: float) -> list[AddRule]:
        """What earlier engines were told, and is not over."""
        try:
            return [AddRule(saved.text, saved.actor, saved.until_s)
                    for saved in self._file.read(now_s) if saved.actor != SETTINGS]  # fmt: skip
        except OSError as error:
            self._note("rules", f"{error.filename}: {error.strerror}")
            return []

    def keep(self, rules: Iterable[Rule]) -> None:
        """Write them down where they changed; where that fails it is tried again every time."""
        try:
            self._file.keep(rules)
            self._failed = ""
        except OSError as error:
            failed = error.strerror or str(error)
            if failed != self._failed:
                self._note("rules", failed)
            self._failed = failed
