"""Ticks from Redis as a group: what an engine of another name left is taken over."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from kitetui.engine.feed import redis_source
from kitetui.engine.feed.redis_source import GROUP, RedisSource


async def test_what_a_consumer_of_another_name_left_is_taken_over(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.xgroup_create("s", GROUP, id="$", mkstream=True)
        for n in range(700):
            await client.xadd("s", {"binary_data": f"{n}"})
        await client.xreadgroup(GROUP, "a-container-that-is-gone", {"s": ">"}, count=600)
        here: Any = SimpleNamespace(_closing=False)
        await RedisSource._claim(here, client, "s", "here")
        (told,) = await client.xreadgroup(GROUP, "here", {"s": "0"})
        assert told[1] == [], "it may be alive, and slow"
        monkeypatch.setattr(redis_source, "CLAIM_MS", 0)
        await RedisSource._claim(here, client, "s", "here")
        (told,) = await client.xreadgroup(GROUP, "here", {"s": "0"}, count=1000)
        assert len(told[1]) == 600
