"""What is written to Redis and how. `unpack` reads what the packed profile writes."""

from __future__ import annotations

from kitetui.engine.sinks.redis.packed import Packed, PackedError, unpack

__all__ = ["Packed", "PackedError", "unpack"]
