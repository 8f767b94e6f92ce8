"""Replies: what a Redis server answers (RESP2), read where it has the shape that we expect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

NEVER = (0, 0)
"""The id of no entry: before all others."""


def as_text(value: Any) -> str:
    """Bytes as text; what is no UTF-8 is replaced."""
    return bytes(value).decode("utf-8", "replace")


def pairs(flat: Any) -> dict[bytes, Any]:
    """A flat list of names and values as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=False))


def info_fields(info: Any) -> dict[str, str]:
    """INFO's lines by name."""
    lines = as_text(info).splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


def server_words(fields: Mapping[str, str]) -> str:
    """Make and version by INFO's fields, such as `valkey 9.1.2`."""
    if "valkey_version" in fields:
        return f"valkey {fields['valkey_version']}"
    return f"redis {fields.get('redis_version', '?')}"


def parse_id(text: bytes | str) -> tuple[int, int]:
    """A stream id as (ms, seq); `NEVER` for anything else."""
    ms, _, seq = (text if isinstance(text, str) else as_text(text)).partition("-")
    return (int(ms), int(seq)) if ms.isdigit() and seq.isdigit() else NEVER
