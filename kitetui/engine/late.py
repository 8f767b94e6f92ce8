"""Late: stands for a module until something of it is asked for, on any thread."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Late:
    """A module that takes a while to load, and that a start can do without."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._load(), name)
        setattr(self, name, found)
        return found


def loader(name: str, *parts: str) -> Callable[[], Any]:
    """What loads a module, and those parts of it that it does not load by itself."""

    def load() -> Any:
        for part in parts:
            import_module(part)
        return import_module(name)

    return load
