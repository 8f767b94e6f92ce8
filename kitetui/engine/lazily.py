"""Libraries that a start does not wait for: each is loaded when something of it is asked for."""

from __future__ import annotations

import sys
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import TYPE_CHECKING


def lazily(name: str) -> ModuleType:
    """A module that is loaded at its first use; its package is loaded now.

    Raises:
        ModuleNotFoundError: there is none of that name.
    """
    if name in sys.modules:
        return sys.modules[name]
    spec = find_spec(name)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    spec.loader = LazyLoader(spec.loader)
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


if TYPE_CHECKING:
    import httpx
else:
    httpx = lazily("httpx")

__all__ = ["httpx", "lazily"]
