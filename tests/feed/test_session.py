"""Kite's protocol, step by step, without sockets and clocks."""

from __future__ import annotations

import json

import pytest

from kitetui.engine.feed.session import (
    Connection,
    Do,
    LinkState,
    connect_url,
    read_text,
    sharded,
    subscribe_messages,
)
from kitetui.secret import Secret
from kitetui.settings import Settings

S = 1_000_000_000


@pytest.fixture
def connection(settings: Settings) -> Connection:
    return Connection(settings.feed, {738561: "full", 256265: "full", 341249: "quote"})


def live(connection: Connection, now_ns: int) -> None:
    connection.dialled(now_ns)
    connection.opened(now_ns)
    connection.received(now_ns)


def test_subscriptions_are_sharded_within_kites_limits() -> None:
    wanted = dict.fromkeys(range(1, 7002), "full")
    shards = sharded(wanted, 3, 3000)
    assert [len(s) for s in shards] == [3000, 3000, 1001]
    assert next(iter(shards[1])) == 3001
    with pytest.raises(ValueError, match="more than 2 connections"):
        sharded(wanted, 2, 3000)
    assert sharded({}, 3, 3000) == [{}], "one connection is kept, for what joins"


def test_every_connect_subscribes_and_sets_the_mode_with_json_numbers(
    connection: Connection,
) -> None:
    connection.dialled(0)
    first = [json.loads(m) for m in connection.opened(0)]
    assert first[0] == {"a": "subscribe", "v": [738561, 256265, 341249]}
    assert {"a": "mode", "v": ["full", [738561, 256265]]} in first
    assert {"a": "mode", "v": ["quote", [341249]]} in first
    connection.received(1)
    connection.lost(2, "closed 1006", 0.5)
    connection.dialled(S)
    assert [json.loads(m) for m in connection.opened(S)] == first


def test_large_subscriptions_go_in_several_messages() -> None:
    shard = dict.fromkeys(range(2500), "full")
    assert len(subscribe_messages(shard)) == 6


def test_it_is_live_at_the_first_frame_only(connection: Connection) -> None:
    assert connection.state is LinkState.CONNECTING
    connection.dialled(0)
    connection.opened(0)
    assert connection.state is LinkState.CONNECTING
    assert connection.received(1)
    assert not connection.received(2)
    assert connection.state is LinkState.LIVE


def test_silence_of_five_seconds_aborts_and_any_frame_prevents_it(connection: Connection) -> None:
    live(connection, 0)
    connection.received(3 * S)
    assert connection.step(int(7.9 * S))[0] is Do.WAIT
    do, _ = connection.step(8 * S)
    assert do is Do.ABORT
    assert connection.state is LinkState.STALE
    assert "no frame for 5.0 s" in connection.reason


def test_reconnects_back_off_with_jitter_up_to_the_cap(connection: Connection) -> None:
    now = 0
    waits = []
    for _ in range(12):
        connection.dialled(now)
        connection.lost(now, "refused", 1.0 - 1e-9)
        start = now
        while connection.step(now)[0] is not Do.CONNECT:
            now += S // 100
        waits.append((now - start) / S)
    assert waits[0] == pytest.approx(0.5, abs=0.05)
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(30, abs=0.1)
    live(connection, now)
    connection.lost(now + 4 * S, "closed", 0.5)
    assert connection.attempts == 13, "it was not LIVE for long"
    live(connection, now)
    connection.lost(now + 6 * S, "closed", 0.5)
    assert connection.attempts == 0
    live(connection, now)
    assert connection.step(now + 60 * S)[0] is Do.ABORT, "it fell silent"
    connection.lost(now + 60 * S, "no frame", 0.5)
    assert connection.attempts == 0
    calm = Connection(connection._settings, {})
    calm.dialled(0)
    calm.lost(0, "refused", 0.0)
    assert calm.step(int(0.3 * S))[0] is Do.CONNECT


@pytest.mark.parametrize("status", [400, 403])
def test_refused_credentials_never_loop(connection: Connection, status: int) -> None:
    connection.dialled(0)
    connection.refused(0, status, 0.5)
    assert connection.state is LinkState.AUTH_EXPIRED
    assert str(status) in connection.reason
    assert all(connection.step(s * S)[0] is Do.WAIT for s in range(0, 100_000, 997))
    connection.credentials_changed()
    assert connection.step(0)[0] is Do.CONNECT


def test_429_waits_long_and_says_why(connection: Connection) -> None:
    connection.dialled(0)
    connection.refused(0, 429, 0.0)
    assert connection.state is LinkState.REFUSED
    assert "another session" in connection.reason
    assert connection.step(30 * S)[0] is Do.WAIT
    assert connection.step(34 * S)[0] is Do.CONNECT


def test_server_errors_back_off_like_lost_sockets(connection: Connection) -> None:
    connection.dialled(0)
    connection.refused(0, 503, 0.5)
    assert connection.state is LinkState.RECONNECTING
    assert connection.step(S)[0] is Do.CONNECT


def test_a_closed_connection_stays_closed(connection: Connection) -> None:
    live(connection, 0)
    connection.close()
    connection.lost(1, "closed 1000", 0.5)
    assert connection.state is LinkState.CLOSED
    assert connection.step(10**12)[0] is Do.WAIT


def test_tokens_are_encoded_and_never_printed() -> None:
    url = connect_url("wss://ws.kite.trade", "key", Secret("a+b/c=="))
    assert url.reveal() == "wss://ws.kite.trade?api_key=key&access_token=a%2Bb%2Fc%3D%3D"
    assert "a+b" not in f"{url} {url!r} {[url]}"
    with pytest.raises(TypeError):
        url.__reduce__()


@pytest.mark.parametrize(
    ("payload", "kind"),
    [(b'{"type":"order","data":{}}', "order"), (b'{"type":"error","data":"no"}', "error"),
     (b'{"type":"app_code","timestamp":"x"}', "app_code"), (b'{"type":"new"}', "unknown"),
     (b"[1]", "unreadable"), (b"\xff\xfe", "unreadable"), (b'{"type":7}', "unreadable"),
     (b"{", "unreadable")],
)  # fmt: skip
def test_text_frames_are_told_apart_and_nothing_is_an_error(payload: bytes, kind: str) -> None:
    assert read_text(payload).type == kind
