"""httpx as it is used here: loaded with the first request, a tenth of a second after the start."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kitetui.engine.quiet import hushed

for _name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2",
              "httpcore.proxy", "httpcore.socks"):  # fmt: skip
    hushed(_name)  # at INFO they log the URL, which may hold a token

if TYPE_CHECKING:
    import httpx
else:

    class _Late:
        """Stands for the module until something of it is asked for, on any thread."""

        def __getattr__(self, attribute: str) -> Any:
            return getattr(import_module("httpx"), attribute)

    httpx = _Late()

__all__ = ["httpx"]
