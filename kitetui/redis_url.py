"""Addresses of Redis servers: what can be used, and without the database number of it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlencode, urlsplit


def is_usable(url: str) -> bool:
    """Whether an address is one: a '/' in a password would cut it in two."""
    if not re.match(r"(rediss?|unix)://", url):
        return False
    try:
        _ = urlsplit(url).port
    except ValueError:
        return False
    return True


def server_url(url: str) -> str:
    """An address without a database: the stores say which ones are meant, and redis-py would let
    the address win."""
    parts = urlsplit(url)
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name != "db"])
    path = parts.path if parts.scheme == "unix" else ""
    return f"{parts.scheme}://{parts.netloc}{path}{'?' if query else ''}{query}"
