"""The file that keeps a user's rules from one engine to the next."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from kitetui.engine.alerts.rule_text import Rule

RULES_MAX = 500


class Saved(msgspec.Struct, frozen=True):
    """A rule as text, its end, and whose it is."""

    text: str
    until_s: int
    actor: str


class RuleFile:
    """Written whenever the rules differ from what it holds, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: tuple[str, ...] | None = None

    def read(self, now_s: float) -> list[Saved]:
        """Rules that are not over.

        Raises:
            OSError: the file cannot be read, or holds something else.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        try:
            found = msgspec.json.decode(data, type=list[Saved])
        except msgspec.DecodeError as error:
            raise OSError(0, f"holds no rules ({error}); move it away", str(self._path)) from None
        return [saved for saved in found[:RULES_MAX] if saved.until_s > now_s]

    def keep(self, rules: Iterable[Rule]) -> None:
        """Write the rules down where they changed.

        Raises:
            OSError: the file cannot be written.
        """
        rules = list(rules)
        ids = tuple(rule.rule_id for rule in rules)
        if ids == self._held:
            return
        text = msgspec.json.encode([Saved(r.text, r.until_s, r.actor) for r in rules])
        partly = self._path.with_suffix(".part")
        handle = os.open(partly, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partly.replace(self._path)
        self._held = ids
