"""Addresses of Redis servers: which ones can be used, and what is left of them."""

from __future__ import annotations

import pytest
from redis import Redis

from kitetui.redis_url import is_usable, server_url
from kitetui.secret import redacted_url


@pytest.mark.parametrize(("url", "expected"), [
    ("redis://desk:6379/0", "redis://desk:6379"),
    ("redis://desk:6379", "redis://desk:6379"),
    ("rediss://me:p%2Fw@desk:6380/3?db=4&socket_timeout=5",
     "rediss://me:p%2Fw@desk:6380?socket_timeout=5"),
    ("unix:///run/redis.sock?db=4", "unix:///run/redis.sock"),
    ("unix://me:pw@/run/redis.sock", "unix://me:pw@/run/redis.sock"),
])  # fmt: skip
def test_the_stores_say_the_database(url: str, expected: str) -> None:
    assert server_url(url) == expected and is_usable(url)
    known = Redis.from_url(server_url(url), db=7).connection_pool.connection_kwargs
    assert known["db"] == 7


@pytest.mark.parametrize("url", ["me:pw@desk:6379", "redis:/:pw@desk", "http://desk",
                                 "redis://:p/w@desk", ""])  # fmt: skip
def test_what_is_no_address_is_known_and_shows_no_password(url: str) -> None:
    assert not is_usable(url)
    assert "pw" not in redacted_url(url) and "p/w" not in redacted_url(url)
