"""The simulated exchange, as Kite's clients see it."""

from __future__ import annotations

import gzip
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from kitetui.engine.feed import wire
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind
from kitetui.engine.market.instruments import read_table
from kitetui.exchange.faults import FaultKind, parse
from tests.programs import environment, exchange, kitetui

LOGIN = "?api_key=demo&access_token=demo"
RELIANCE, NIFTY = 738561, 256265


async def ask(socket: ClientConnection, action: str, value: Any) -> None:
    await socket.send(json.dumps({"a": action, "v": value}))


async def ticks(socket: ClientConnection, frames: int) -> list[dict[str, Any]]:
    """Ticks of the next frames that hold any."""
    out: list[dict[str, Any]] = []
    while frames:
        message = await socket.recv()
        if isinstance(message, bytes) and len(message) > 1:
            out += wire.to_dicts(wire.decode([message]).batch)
            frames -= 1
    return out


async def test_cached_first_tick_modes_and_unsubscribe(tmp_path: Path) -> None:
    with exchange(tmp_path, "--speed", "20") as hello:
        async with connect(hello["ws_url"] + LOGIN) as socket:
            await ask(socket, "subscribe", [RELIANCE, NIFTY])
            first = await ticks(socket, 1)
            assert {t["instrument_token"] for t in first} == {RELIANCE, NIFTY}
            assert {t["mode"] for t in first} == {"quote"}, "the server's default mode"
            await ask(socket, "mode", ["full", [RELIANCE]])
            await ask(socket, "mode", ["ltp", [NIFTY]])
            seen = await ticks(socket, 30)
            late = seen[-20:]
            assert {t["mode"] for t in late if t["instrument_token"] == RELIANCE} == {"full"}
            assert {t["mode"] for t in late if t["instrument_token"] == NIFTY} == {"ltp"}
            full = next(t for t in reversed(seen) if t["mode"] == "full")
            buy, sell = full["depth"]["buy"], full["depth"]["sell"]
            assert buy[0]["price"] < sell[0]["price"]
            assert [b["price"] for b in buy] == sorted((b["price"] for b in buy), reverse=True)
            assert all(level["orders"] > 0 for level in buy + sell)
            await ask(socket, "unsubscribe", [NIFTY])
            await ticks(socket, 3)
            assert NIFTY not in {t["instrument_token"] for t in await ticks(socket, 15)}


async def test_heartbeats_text_frames_and_bad_requests(tmp_path: Path) -> None:
    with exchange(tmp_path) as hello:
        async with connect(hello["ws_url"] + LOGIN) as socket:
            meta = json.loads(await socket.recv())
            assert meta["type"] == "instruments_meta"
            assert len(await socket.recv()) == 1
            for bad in ("{", '{"a":"dance","v":[1]}', '{"a":"mode","v":["loud",[1]]}', "[]"):
                await socket.send(bad)
                answer = await socket.recv()
                while isinstance(answer, bytes):
                    answer = await socket.recv()
                assert json.loads(answer)["type"] == "error"
            await ask(socket, "subscribe", ["738561"])  # strings: ignored without a word
            assert len(await socket.recv()) == 1


async def test_limits_and_refusals_at_the_handshake(tmp_path: Path) -> None:
    with exchange(tmp_path) as hello:
        for query, status in (("", 400), ("?api_key=demo", 400),
                              ("?api_key=demo&access_token=old", 403)):  # fmt: skip
            with pytest.raises(InvalidStatus) as refused:
                await connect(hello["ws_url"] + query)
            assert refused.value.response.status_code == status
        sockets = [await connect(hello["ws_url"] + LOGIN) for _ in range(3)]
        with pytest.raises(InvalidStatus) as refused:
            await connect(hello["ws_url"] + LOGIN)
        assert refused.value.response.status_code == 429
        await ask(sockets[0], "subscribe", list(range(1, 3002)))
        texts = []
        while not texts or texts[-1]["type"] != "error":
            message = await sockets[0].recv()
            if isinstance(message, str):
                texts.append(json.loads(message))
        assert texts[-1]["data"] == "max tokens exceeded"
        for socket in sockets:
            await socket.close()


def test_rest_instruments_login_profile_and_history(tmp_path: Path) -> None:
    with exchange(tmp_path) as hello, httpx.Client(base_url=hello["rest_url"]) as client:
        dump = client.get("/instruments")
        assert dump.headers["content-encoding"] == "gzip"
        table = read_table(dump.content)
        kinds = {i.asset_class for i in table.values()}
        assert kinds == {"index", "equity", "futures", "options"}
        assert all(i.lot_size and i.tick_size for i in table.values() if not i.is_index)
        only = read_table(client.get("/instruments/NSE").content)
        assert {i.exchange for i in only.values()} == {"NSE"}

        assert client.get("/user/profile").status_code == 403
        tokens = []
        for _ in range(2):
            page = client.get("/connect/login", params={"api_key": "demo", "v": "3"})
            assert page.status_code == 302
            tokens.append(parse_qs(urlsplit(page.headers["location"]).query)["request_token"][0])
        wrong = client.post("/session/token", data={"api_key": "demo", "request_token": tokens[0],
                                                    "checksum": "0" * 64})  # fmt: skip
        assert (wrong.status_code, wrong.json()["error_type"]) == (403, "TokenException")
        checksum = hashlib.sha256(f"demo{tokens[1]}demo-secret".encode()).hexdigest()
        asked = {"api_key": "demo", "request_token": tokens[1], "checksum": checksum}
        token = client.post("/session/token", data=asked).json()["data"]["access_token"]
        assert client.post("/session/token", data=asked).status_code == 403, "good once"
        client.headers["Authorization"] = f"token demo:{token}"
        assert client.get("/user/profile").json()["data"]["broker"] == "ZERODHA"

        clock = hello["clock"]
        query = {"from": f"{clock[:10]} 09:15:00", "to": f"{clock[:10]} 15:30:00", "oi": "1"}
        future = next(i for i in table.values() if i.kind == "FUT")
        route = f"/instruments/historical/{future.token}"
        minutes = client.get(f"{route}/minute", params=query).json()["data"]["candles"]
        assert len(minutes) == 60, "09:15 to 10:15"
        fives = client.get(f"{route}/5minute", params=query).json()["data"]["candles"]
        assert len(fives) == 12
        assert sum(c[5] for c in fives) == sum(c[5] for c in minutes)
        assert all(c[3] <= min(c[1], c[4]) <= max(c[1], c[4]) <= c[2] for c in minutes)
        assert all(c[5] % future.lot_size == 0 for c in minutes)
        client.get(f"{route}/minute", params=query)
        assert client.get(f"{route}/minute", params=query).status_code == 429


def test_the_same_seed_gives_the_same_market_and_another_does_not() -> None:
    from tests.samples import market_day

    market_day.cache_clear()
    first = market_day(minutes=2, seed=5).payload
    market_day.cache_clear()
    assert market_day(minutes=2, seed=5).payload == first
    assert market_day(minutes=2, seed=6).payload != first


def test_faults_are_parsed_and_refused_by_name() -> None:
    assert [(f.kind, f.at_s, f.for_s) for f in parse("mute@60:8,drop@3")] == [
        (FaultKind.DROP, 3, 0), (FaultKind.MUTE, 60, 8)]  # fmt: skip
    with pytest.raises(ValueError, match="'explode@3' is no fault"):
        parse("explode@3")


def test_the_official_client_receives_the_same_ticks(tmp_path: Path) -> None:
    demo = kitetui(tmp_path, "--demo", "--headless", "--duration", "4", "--json")
    journal = Path(json.loads(demo.stdout)["journal"]["path"])
    sent = []
    for batch in JournalReader(journal):
        for kind, payload in zip(batch.kind, batch.payload, strict=True):
            if kind == Kind.FRAME and len(payload) > 1:
                sent += wire.to_dicts(wire.decode([payload]).batch)
    tokens = sorted({t["instrument_token"] for t in sent})
    with exchange(tmp_path, "--from", str(journal), "--speed", "max") as hello:
        script = Path(__file__).with_name("official_client.py")
        done = subprocess.run(
            [sys.executable, str(script), hello["ws_url"], str(len(sent)), *map(str, tokens)],
            env={**environment(tmp_path), "TZ": "UTC"}, capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip
    if "No module named 'kiteconnect'" in done.stderr:
        pytest.skip("the official client is not installed: pip install kitetui[oracle]")
    received = [json.loads(line) for line in done.stdout.splitlines()]
    full = [t for t in sent if t["mode"] == "full"]
    assert [t for t in received if t["mode"] == "full"] == full
    assert len(full) > 1000


def test_the_dump_is_gzipped_csv() -> None:
    from datetime import date

    from kitetui.exchange.listing import listing, table

    lines = gzip.decompress(table(listing(date(2025, 12, 15), 400))).decode().splitlines()
    assert len(lines) == 401
    assert lines[0].startswith("instrument_token,exchange_token,tradingsymbol")
