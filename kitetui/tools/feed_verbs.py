"""The feed's verbs for scripts: watch, unwatch, mode, reconnect."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from kitetui.engine.commands import FeedCommand, Reconnect, SetMode, Watch
from kitetui.places import Places
from kitetui.tools.verbs import say, with_engine


def watch(where: Places, symbols: Sequence[str], *, on: bool, as_json: bool) -> int:
    """Take instruments into the subscription, or out of it."""
    return _do(where, Watch(tuple(symbols), "", on), as_json)


def mode(where: Places, name: Literal["full", "quote", "ltp"], symbols: Sequence[str], *,
         as_json: bool) -> int:  # fmt: skip
    """Have instruments sent in a mode."""
    return _do(where, SetMode(tuple(symbols), name, ""), as_json)


def reconnect(where: Places, *, as_json: bool) -> int:
    """Dial the feed anew."""
    return _do(where, Reconnect(""), as_json)


def _do(where: Places, command: FeedCommand, as_json: bool) -> int:
    return with_engine(where, "rw", lambda caller: say([caller.do(command)], as_json))
