"""httpx as it is used here: loaded with the first request, a tenth of a second after the start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitetui.engine.lazily import Lazily

if TYPE_CHECKING:
    import httpx
else:
    httpx = Lazily("httpx")

__all__ = ["httpx"]
