"""redis-py as it is used here: loaded when first needed, since it takes a tenth of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kitetui.engine.late import Late, loader

load = loader("redis", "redis.asyncio")
"""Loads it; blocking."""

if TYPE_CHECKING:
    import redis
    import redis.asyncio
    import redis.asyncio.connection
    import redis.asyncio.retry
    import redis.backoff
else:
    redis = Late(load)

__all__ = ["load", "redis"]
