"""httpx as it is used here: loaded when first needed, without what is only its command line's."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kitetui.engine.quiet import hushed

for _name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2",
              "httpcore.proxy", "httpcore.socks"):  # fmt: skip
    hushed(_name)  # at INFO they log the URL, which may hold a token

_ABSENT: Any = None
"""What stands for a module that is not there: importing it fails at once."""


def load() -> Any:
    """The module. An event loop has a thread do this beforehand: it takes a tenth of a second."""
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", _ABSENT)  # its command line: 6 MB
        if find_spec("sniffio") is None:
            # httpcore tries it with every request, and looks through all of the path each time.
            sys.modules.setdefault("sniffio", _ABSENT)
    return import_module("httpx")


if TYPE_CHECKING:
    import httpx
else:

    class _Late:
        """Stands for the module until something of it is asked for, on any thread."""

        def __getattr__(self, attribute: str) -> Any:
            return getattr(load(), attribute)

    httpx = _Late()

__all__ = ["httpx", "load"]
