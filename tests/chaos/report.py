"""How the long trials end: their figures as JSON, and 1 where anything must not be."""

from __future__ import annotations

import sys
from typing import Any, NoReturn

import msgspec


def say(text: str) -> None:
    """How far it is."""
    print(text, file=sys.stderr, flush=True)


def end(figures: Any, violations: list[str]) -> NoReturn:
    """Print the figures and end."""
    print(msgspec.json.format(msgspec.json.encode(figures), indent=2).decode())
    sys.exit(bool(violations))
