"""httpx as it is used here: loaded with the first request, a tenth of a second after the start;
and how an answer is read."""

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


class TooLarge(Exception):
    """An answer that is larger than it may be."""


async def body(answer: httpx.Response, most: int) -> bytes:
    """The content of a streamed answer.

    It is read apart: an answer that holds its own content is part of a cycle, and megabytes would
    wait for the collector.

    Raises:
        TooLarge: it has more than `most` bytes.
        httpx.HTTPError: the connection broke.
    """
    data = bytearray()
    async for part in answer.aiter_bytes():
        data += part
        if len(data) > most:
            raise TooLarge(f"larger than {most >> 20} MB")
    return bytes(data)


__all__ = ["TooLarge", "body", "httpx"]
