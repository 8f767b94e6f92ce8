"""httpx as it is used here: loaded when first needed, without what is only its command line's."""

from __future__ import annotations

import os
import ssl
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from kitetui.engine.late import Late
from kitetui.engine.quiet import hushed

for _name in ("httpx", "httpcore", "httpcore.connection", "httpcore.http11", "httpcore.http2",
              "httpcore.proxy", "httpcore.socks"):  # fmt: skip
    hushed(_name)  # at INFO they log the URL, which may hold a token

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
_ABSENT: Any = None
"""What stands for a module that is not there: importing it fails at once."""


def load() -> Any:
    """The module."""
    if "httpx" not in sys.modules:
        sys.modules.setdefault("httpx._main", _ABSENT)  # its command line: 6 MB
        if find_spec("sniffio") is None:
            # httpcore tries it with every request, and looks through all of the path each time.
            sys.modules.setdefault("sniffio", _ABSENT)
    return import_module("httpx")


def trust(*, by_environment: bool) -> ssl.SSLContext:
    """Whom clients believe: one list for all, as it takes a client 50 ms and 2 MB to have its own.

    Args:
        by_environment: whether SSL_CERT_FILE and SSL_CERT_DIR say whom, where they are set.
    """
    return _context(by_environment and any(os.environ.get(name) for name in CERTIFICATES))


@cache
def _context(by_environment: bool) -> ssl.SSLContext:
    context: ssl.SSLContext = load().create_ssl_context(trust_env=by_environment)
    return context


def prepare() -> None:
    """What takes a tenth of a second and more: an event loop has a thread do it beforehand."""
    load()
    import_module("httpcore")  # httpx does so with its first client, on whatever loop that is
    trust(by_environment=False)  # what the environment says may not be there


if TYPE_CHECKING:
    import httpx
else:
    httpx = Late(load)

__all__ = ["httpx", "load", "prepare", "trust"]
