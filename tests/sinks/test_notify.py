"""The notifier against a scripted Telegram: order, spacing, waits, and nothing urgent lost."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import logging
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.config import load
from kitetui.engine.alerts.alert import Alert, AlertState, Priority
from kitetui.engine.alerts.flood import Form, Notice
from kitetui.engine.alerts.validity import refusal
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.outlets.telling import notifier
from kitetui.engine.sinks.notify.apprise import Apprise
from kitetui.engine.sinks.notify.notifier import Notifier
from kitetui.engine.sinks.notify.outbox import Outbox
from kitetui.engine.sinks.notify.telegram import Telegram
from kitetui.engine.sinks.notify.webhook import Webhook
from kitetui.engine.sinks.notify.words import blocks, messages, plain, units
from kitetui.places import places
from kitetui.secret import Secret
from tests.alerts.candidates import NOON_S, candidate, condition_alert
from tests.programs import environment
from tests.sinks.telegram_server import TOKEN, FakeTelegram, telegram

LOUD = {"P1": "on", "P2": "on", "P3": "silent", "digest": "silent"}


def notice(n: int, priority: Priority = Priority.P2, form: Form = Form.ALERT) -> Notice:
    one = (condition_alert(f"c{n}") if priority is Priority.P1
           else candidate(f"SYM{n}", priority=priority))  # fmt: skip
    return Notice(f"{priority.name}-{n}", form, priority, NOON_S, (one,), (one.alert_id,))


class Bench:
    """A notifier with one Telegram behind it."""

    def __init__(self, folder: Path, fake: FakeTelegram, chat: str = "42") -> None:
        self.notes: list[str] = []
        self.refusals: dict[str, str] = {}
        self.outbox = Outbox(folder / "outbox.sqlite")
        self.sender = Telegram(fake.url, Secret(TOKEN), chat,
                               lambda to: self.outbox.note("telegram", "moved", to))  # fmt: skip
        self.sender.spacing_s = 0.05
        self.notifier = Notifier(
            self.outbox, [self.sender], LOUD,
            lambda told: self.refusals.get(told.alerts[0].symbol, ""),
            lambda _, text: self.notes.append(text),
        )  # fmt: skip
        self.task = asyncio.ensure_future(self.notifier.run())

    async def sent(self, count: int, seconds: float = 15) -> None:
        for _ in range(int(seconds * 50)):
            if self.outbox.counts("telegram").get("sent", 0) >= count:
                return
            await asyncio.sleep(0.02)
        raise AssertionError((self.outbox.counts("telegram"), self.notes))

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)
        await self.notifier.close()


@contextlib.asynccontextmanager
async def bench(
    folder: Path, *script: Any, chat: str = "42"
) -> AsyncIterator[tuple[Bench, FakeTelegram]]:
    async with telegram(*script) as fake:
        running = Bench(folder, fake, chat)
        yield running, fake
        await running.stop()


def names(fake: FakeTelegram) -> list[str]:
    """What was taken, by symbol or condition."""
    return [body["text"].split("</b>")[0].rsplit(" ", 1)[-1] for body in fake.taken]


async def test_the_urgent_first_each_in_order_spaced_and_loud_as_asked(tmp_path: Path) -> None:
    async with bench(tmp_path) as (b, fake):
        b.sender.spacing_s = 0.2
        b.notifier.take([notice(0), notice(1), notice(2, Priority.P1), notice(3, Priority.P1),
                         notice(4, Priority.P3)])  # fmt: skip
        await b.sent(5)
    assert names(fake) == ["c2", "c3", "SYM0", "SYM1", "SYM4"]
    gaps = [b.at_s - a.at_s for a, b in zip(fake.seen, fake.seen[1:], strict=False)]
    assert min(gaps) >= 0.19
    assert [body["disable_notification"] for body in fake.taken] == [False] * 4 + [True]
    assert all(body["parse_mode"] == "HTML" and body["link_preview_options"]["is_disabled"]
               for body in fake.taken)  # fmt: skip


async def test_whatever_the_server_does_order_is_kept_and_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("kitetui.engine.sinks.notify.telegram.backoff_s", lambda n: 0.1)
    caplog.set_level(logging.DEBUG)
    script = [500, "html", "reset", 200, "parse", 200, (429, 1), 200, 500]
    async with bench(tmp_path, *script) as (b, fake):
        b.notifier.take([notice(n, Priority.P1) for n in range(4)])
        await b.sent(4)
        status = json.dumps(b.notifier.status()) + b.notifier.words()
    assert names(fake)[:1] + names(fake)[2:] == ["c0", "c2", "c3"]
    assert "parse_mode" not in fake.taken[1] and "P1 c1" in fake.taken[1]["text"]
    retried = [at for at, one in enumerate(fake.seen) if one.answered == "429"]
    assert fake.seen[retried[0] + 1].at_s - fake.seen[retried[0]].at_s >= 0.99
    assert {"telegram: HTTP 500", "telegram: HTTP 502", "telegram: 429"} < set(b.notes)
    written = status + "".join(b.notes) + caplog.text + "".join(capfd.readouterr())
    assert "CANARY" not in written
    assert all(b"CANARY" not in path.read_bytes() for path in tmp_path.iterdir())


async def test_a_server_that_hangs_is_left_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kitetui.engine.sinks.notify.telegram.TIMEOUT_S", 0.3)
    monkeypatch.setattr("kitetui.engine.sinks.notify.telegram.backoff_s", lambda n: 0.1)
    async with bench(tmp_path, "hang", "hang", 200) as (b, fake):
        b.notifier.take([notice(0, Priority.P1)])
        await b.sent(1)
    assert len(fake.seen) == 3 and b.notes == ["telegram: ReadTimeout"]


async def test_a_name_that_no_server_knows_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kitetui.engine.sinks.notify.telegram.backoff_s", lambda n: 0.1)
    lookups = 0
    loop = asyncio.get_running_loop()
    real = loop.getaddrinfo

    async def getaddrinfo(*host: Any, **named: Any) -> Any:
        nonlocal lookups
        lookups += 1
        if lookups < 4:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return await real(*host, **named)

    async with telegram(200) as fake:
        fake.url = fake.url.replace("127.0.0.1", "localhost")
        b = Bench(tmp_path, fake, "42")
        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        b.notifier.take([notice(0, Priority.P1)])
        await b.sent(1)
        await b.stop()
    assert lookups == 4 and len(fake.seen) == 1 and b.notes == ["telegram: ConnectError"]


async def test_a_wait_that_was_told_outlives_the_process(tmp_path: Path) -> None:
    async with bench(tmp_path, (429, 2)) as (b, fake):
        b.notifier.take([notice(0, Priority.P1)])
        for _ in range(100):
            if fake.seen:
                break
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
    first = fake.seen[0].at_s
    async with bench(tmp_path) as (b, fake):
        await b.sent(1)
    assert fake.seen[0].at_s - first >= 1.9


async def test_a_chat_that_moved_is_followed_also_by_the_next_engine(tmp_path: Path) -> None:
    async with bench(tmp_path, ("migrate", -100777), chat="-5") as (b, fake):
        b.notifier.take([notice(0)])
        await b.sent(1)
        assert [one.body["chat_id"] for one in fake.seen] == ["-5", "-100777"]
        assert b.outbox.fact("telegram", "moved") == "-100777"
        assert b.sender.per_minute == 18


async def test_a_token_that_is_refused_stops_asking_and_keeps_what_waits(tmp_path: Path) -> None:
    async with bench(tmp_path, 401, 401, 401) as (b, fake):
        b.notifier.take([notice(n, Priority.P1) for n in range(3)])
        await asyncio.sleep(0.6)
        assert len(fake.seen) == 1
        assert b.outbox.counts("telegram") == {"queued": 3}
        assert "token is refused" in b.notifier.words()


async def test_a_backlog_goes_together_and_what_is_too_old_is_counted(tmp_path: Path) -> None:
    async with bench(tmp_path) as (b, fake):
        b.outbox.put("telegram", [(notice(n, Priority.P3), False) for n in range(90, 97)],
                     1_000_000)  # fmt: skip
        b.notifier.take([notice(n) for n in range(12)])
        await b.sent(12)
    assert len(fake.taken) == 1
    text = fake.taken[0]["text"]
    assert all(f"SYM{n}</b>" in text for n in range(12))
    assert text.endswith("7 older messages expired unsent")


async def test_what_is_not_valid_any_more_is_refused_and_counted(tmp_path: Path) -> None:
    async with bench(tmp_path) as (b, fake):
        b.refusals = {"SYM1": "the price passed its stop"}
        b.notifier.take([notice(n) for n in range(3)])
        await b.sent(2)
        counts = {"sent": 2, "refused: the price passed its stop": 1}
        assert b.outbox.counts("telegram") == counts
    assert names(fake) == ["SYM0", "SYM2"]


async def test_the_same_notice_again_is_not_sent_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as (b, fake):
        b.notifier.take([notice(0, Priority.P1)])
        await b.sent(1)
    async with bench(tmp_path) as (b, fake):  # a restart derives it once more
        b.notifier.take([notice(0, Priority.P1), notice(1, Priority.P1)])
        await b.sent(2)
    assert names(fake) == ["c1"]


@pytest.mark.parametrize("last", [200, "accept then close"])
async def test_a_kill_between_send_and_record_costs_one_duplicate_at_most(
    tmp_path: Path, last: Any
) -> None:
    async with telegram(200, 200, "hang" if last == 200 else last) as fake:
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.sinks.notify_child", str(tmp_path), fake.url],
            env=environment(tmp_path), stdout=subprocess.PIPE,
        )  # fmt: skip
        while len(fake.seen) < 3:
            await asyncio.sleep(0.02)
        child.kill()
        child.wait(10)
    async with bench(tmp_path) as (b, fake_after):
        await b.sent(5)
    everything = [one.body["text"] for one in (*fake.seen, *fake_after.seen)]
    counts = {n: sum(f"c{n}</b>" in text for text in everything) for n in range(5)}
    assert counts == {0: 1, 1: 1, 2: 2, 3: 1, 4: 1}


async def test_a_webhook_gets_the_notices_as_json(tmp_path: Path) -> None:
    async with telegram(500, 200) as fake:
        outbox = Outbox(tmp_path / "outbox.sqlite")
        sender = Webhook(f"{fake.url}/hook?key=CANARY")
        notes: list[str] = []
        notifier = Notifier(
            outbox, [sender], LOUD, lambda _: "", lambda _, text: notes.append(text)
        )
        task = asyncio.ensure_future(notifier.run())
        notifier.take([notice(0, Priority.P1)])
        while outbox.counts("webhook").get("sent", 0) < 1:
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await notifier.close()
    told = msgspec.convert(fake.seen[-1].body["notices"], list[Notice])
    assert told == [notice(0, Priority.P1)] and notes == ["webhook: HTTP 500"]


async def test_apprise_takes_plain_text_behind_the_same_outbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("kitetui.engine.sinks.notify.apprise.backoff_s", lambda n: 0.1)
    async with telegram(500, 200) as fake:
        outbox = Outbox(tmp_path / "outbox.sqlite")
        host = fake.url.removeprefix("http://")
        sender = Apprise([Secret(f"json://user:CANARY@{host}/hook")])
        sender.spacing_s = 0.05
        notes: list[str] = []
        notifier = Notifier(outbox, [sender], LOUD, lambda _: "",
                            lambda _, text: notes.append(text))  # fmt: skip
        task = asyncio.ensure_future(notifier.run())
        notifier.take([notice(0, Priority.P1)])
        for _ in range(500):
            if outbox.counts("apprise").get("sent"):
                break
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await notifier.close()
    assert fake.seen[-1].body["message"].startswith("P1 c0") and len(fake.seen) == 2
    assert notes == ["apprise: a service did not take it"] and "CANARY" not in caplog.text
    with pytest.raises(ValueError, match="line 1 is no address") as told:
        Apprise([Secret("nonsense-CANARY")])
    assert "CANARY" not in str(told.value)


def test_secrets_are_read_from_private_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = places(tmp_path / "state", "default")
    settings = load(overrides=["telegram.chat_id=42"])
    pipeline = Pipeline(settings, 10)
    notes: list[str] = []

    def made() -> Any:
        notes.clear()
        return notifier(settings, where, pipeline, lambda: 0, lambda _, text: notes.append(text))

    monkeypatch.delenv("KITETUI_TELEGRAM_TOKEN", raising=False)
    assert made() is None and "holds a token" in notes[0]
    file = where.state / "telegram_token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o644)
    assert made() is None and "chmod 600" in notes[0]
    file.chmod(0o600)
    assert made() is not None and not notes
    assert (where.state / "outbox.sqlite").stat().st_mode & 0o777 == 0o600
    others = where.state / "apprise_urls"
    others.write_text("CANARY-nonsense\n")
    others.chmod(0o600)
    assert made() is not None and notes == [f"{others}: line 1 is no address that Apprise knows"]


class Strict(HTMLParser):
    """Takes b and code alone, each closed, and gathers the text."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.open = "", []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in ("b", "code") and not attrs
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(max_size=60), st.text(max_size=300))
def test_any_text_comes_through_as_text(symbol: str, message: str) -> None:
    one = condition_alert()
    one = msgspec.structs.replace(one, symbol=symbol, message=message)
    (text,) = messages(blocks(Notice("n", Form.ALERT, Priority.P1, NOON_S, (one,))))
    parser = Strict()
    parser.feed(text)
    parser.close()
    assert not parser.open
    expected = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in message)
    assert expected.encode("utf-8", "replace").decode() in parser.text
    assert plain(text) == parser.text


@given(st.lists(st.text("aé\U0001f600<&b ", min_size=1, max_size=3000), min_size=1, max_size=30))
def test_messages_are_split_between_alerts_and_never_too_long(parts: list[str]) -> None:
    escaped = [html.escape(part, quote=False) for part in parts]
    out = messages(escaped)
    assert all(units(text) <= 4096 for text in out)
    short = [part for part in escaped if units(part) <= 4096]
    assert all(any(part in text for text in out) for part in short)


@pytest.mark.parametrize(
    ("changes", "now", "price", "age_s", "open_", "words"),
    [
        ({}, {}, 100.5, 1.0, True, ""),
        ({}, None, 100.5, 1.0, True, "it has left the queue"),
        ({}, {"state": AlertState.ACKED}, 100.5, 1.0, True, "acknowledged already"),
        ({}, {"state": AlertState.SHELVED}, 100.5, 1.0, True, "shelved"),
        ({}, {"state": AlertState.RETURNED}, 100.5, 1.0, True, "its condition is over"),
        ({}, {"tags": ("outweighed",)}, 100.5, 1.0, True, "superseded"),
        ({}, {}, 100.5, 1.0, False, "its session is over"),
        ({}, {}, 100.5, 16.0, True, "its price is stale"),
        ({}, {}, None, 1.0, True, "its price is stale"),
        ({}, {}, 99.0, 1.0, True, "the price passed its stop"),
        ({}, {}, 101.5, 1.0, True, "the price reached its target"),
        ({"side": -1, "stop": 101.0, "target": 98.5}, {}, 101.2, 1.0, True,
         "the price passed its stop"),
        ({"side": 0}, {}, 50.0, 1.0, True, ""),
    ],
)  # fmt: skip
def test_an_alert_is_sent_only_while_it_holds(
    changes: dict[str, Any], now: dict[str, Any] | None, price: float | None, age_s: float,
    open_: bool, words: str,
) -> None:  # fmt: skip
    sent: Alert = msgspec.structs.replace(candidate(target=101.5, stop=99.0), **changes)
    stands = None if now is None else msgspec.structs.replace(sent, **now)
    assert refusal(sent, stands, price, age_s, open_=open_) == words
