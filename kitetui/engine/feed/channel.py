"""A Redis channel, listened to whatever its server does meanwhile."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from kitetui.engine.clock import sleep

MESSAGE_MAX = 64 << 10
RETRY_MAX_S = 30.0


async def listen(url: str, channel: str, client_name: str,
                 hear: Callable[[bytes | None], Awaitable[None]]) -> None:  # fmt: skip
    """Give each message to `hear`, for ever; None stands for one that is none or too long.

    How the server is the publisher tells.
    """
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    wait_s = 1.0
    while True:
        client: Any = Redis.from_url(url, client_name=client_name)
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with client.pubsub(ignore_subscribe_messages=True) as listening:
                await listening.subscribe(channel)
                wait_s = 1.0
                async for message in listening.listen():
                    data = message.get("data")
                    fits = isinstance(data, bytes) and len(data) <= MESSAGE_MAX
                    await hear(data if fits else None)
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await client.aclose()
        await sleep(wait_s)
        wait_s = min(wait_s * 2, RETRY_MAX_S)
