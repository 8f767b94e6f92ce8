"""redis-py as it is used here: loaded when first needed, since it takes a tenth of a second."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from kitetui.engine.late import Late


def load() -> Any:
    """The module; blocking."""
    import_module("redis.asyncio")
    return import_module("redis")


if TYPE_CHECKING:
    import redis
    import redis.asyncio
    import redis.asyncio.connection
    import redis.asyncio.retry
    import redis.backoff
else:
    redis = Late(load)

__all__ = ["load", "redis"]
