"""What goes to Redis after a restart: every alert as it is, once."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from kitetui.config import load
from kitetui.engine.alerts.alert import AlertState
from kitetui.engine.outlets.redis import RedisOutlet
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.notices import Notices
from tests.widgets import views


def test_an_acknowledgement_that_a_killed_engine_had_not_written_is_written() -> None:
    settings, put = load().redis, list[Any]()
    notices = Notices(settings, Names(settings), "test")
    outlet: Any = SimpleNamespace(publisher=SimpleNamespace(put=put.append, notices=notices))
    acked = msgspec.structs.replace(views.alert(1), state=AlertState.ACKED, acked_by="ann")
    RedisOutlet.restored(outlet, [views.alert(0), acked])
    assert len(put) == 2 and not any(notice.entries for notice in put), "no stream hears it twice"
    assert b"ann" in b"".join(part for _, part in put[1].commands)
