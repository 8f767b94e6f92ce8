"""The body of an HTTP answer: within a cap, and apart from the answer.

An answer that holds its own content is part of a cycle: megabytes would wait for the collector.
"""

from __future__ import annotations

from kitetui.engine.http import httpx


class TooLarge(Exception):
    """An answer that is larger than it may be."""


async def body(answer: httpx.Response, most: int) -> bytes:
    """The content of a streamed answer.

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
