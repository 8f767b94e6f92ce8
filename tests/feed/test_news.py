"""News: what feeds and messages say, whom it is about, and where it ends up; with real servers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from kitetui.config import load
from kitetui.engine.alerts.newsroom import Newsroom
from kitetui.engine.feed.news import Headline, NewsError, read_feed, read_message
from kitetui.engine.feed.news_source import NewsSource
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.instruments import Instrument, Rows
from kitetui.settings import FeedOfNews
from tests.samples import MONDAY_OPEN_S, market_day

SETTINGS = load()
RSS = b"""<?xml version="1.0"?><rss version="2.0"><channel><title>Wire &amp; Co</title>
<item><title>RELIANCE shares surge &lt;b&gt;4%&lt;/b&gt; on record profit</title>
<link>https://example.com/1</link><pubDate>Mon, 15 Dec 2025 04:30:00 GMT</pubDate></item>
<item><title>Infosys falls after a downgrade</title>
<pubDate>Mon, 15 Dec 2025 04:00:00 GMT</pubDate></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>Atom Wire</title>
<entry><title>HDFC Bank to consider dividend</title><updated>2025-12-15T04:31:00Z</updated></entry>
</feed>"""
LISTED = [
    Instrument(token=2885 << 8 | 1, tradingsymbol="RELIANCE", exchange="NSE", kind="EQ",
               name="RELIANCE INDUSTRIES"),
    Instrument(token=1594 << 8 | 1, tradingsymbol="INFY", exchange="NSE", kind="EQ",
               name="INFOSYS"),
    Instrument(token=1333 << 8 | 1, tradingsymbol="HDFCBANK", exchange="NSE", kind="EQ",
               name="HDFC BANK"),
    Instrument(token=11483 << 8 | 1, tradingsymbol="LT", exchange="NSE", kind="EQ",
               name="LARSEN & TOUBRO"),
    Instrument(token=40_001 << 8 | 2, tradingsymbol="RELIANCE25DECFUT", exchange="NFO",
               kind="FUT", name="RELIANCE"),
]  # fmt: skip


def newsroom() -> Newsroom:
    rows = Rows(10)
    rows.add(LISTED)
    return Newsroom(SETTINGS.news, rows)


def named(title: str, *companies: tuple[str, str]) -> tuple[str, ...]:
    """Symbols that a title is about, of companies as (symbol, name)."""
    rows = Rows(20)
    rows.add([Instrument(token=(n + 1) << 8 | 1, tradingsymbol=symbol, exchange="NSE", kind="EQ",
                         name=name) for n, (symbol, name) in enumerate(companies)])  # fmt: skip
    (item,) = Newsroom(SETTINGS.news, rows).take([Headline(0, "x", title)], 50)
    return item.symbols


def test_rss_and_atom_are_read_oldest_first_as_plain_text() -> None:
    first, second = read_feed(RSS, "host")
    assert first.title == "Infosys falls after a downgrade"
    assert second == Headline(1_765_773_000, "Wire & Co",
                              "RELIANCE shares surge 4% on record profit",
                              "https://example.com/1")  # fmt: skip
    (atom,) = read_feed(ATOM, "host")
    assert (atom.source, atom.at_s) == ("Atom Wire", 1_765_773_060)


@pytest.mark.parametrize("data", [b"", b"<html><body>no feed</body></html>", b"\x00\xff" * 50])
def test_what_is_no_feed_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(NewsError, match="neither RSS nor Atom"):
        read_feed(data, "host")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_feed_or_an_error(data: bytes) -> None:
    with contextlib.suppress(NewsError):
        read_feed(RSS[:80] + data, "host")


def test_a_message_is_read_under_its_usual_names() -> None:
    told = {"headline": "  Order\nwin ", "symbol": "reliance", "timestamp": 1_765_773_000_000,
            "sentiment": "positive", "publisher": "desk"}  # fmt: skip
    assert read_message(msgspec.json.encode(told)) == Headline(
        1_765_773_000, "desk", "Order win", "", ("RELIANCE",), 0.5
    )
    told = {"title": "x", "symbols": ["INFY", "TCS"], "time": "2025-12-15T10:00:00+05:30",
            "sentiment": 7}  # fmt: skip
    found = read_message(msgspec.json.encode(told))
    assert found.symbols == ("INFY", "TCS") and found.sentiment == 1.0
    assert found.at_s == 1_765_773_000


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"\xff", b'{"title": 4}', b"[" * 9000])
def test_a_message_without_a_title_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(NewsError, match="a message"):
        read_message(data)


def test_headlines_find_their_instruments_and_their_tone() -> None:
    room = newsroom()
    told = room.take([*read_feed(RSS, ""), *read_feed(ATOM, "")], 1_765_773_100)
    assert [item.symbols for item in told] == [("INFY",), ("RELIANCE",), ("HDFCBANK",)]
    assert told[0].sentiment < -0.2 < 0.2 < told[1].sentiment
    (other,) = room.take([Headline(0, "x", "Lt Governor to visit India Industries expo")], 50)
    assert other.symbols == () and other.at_s == 50


BANKS = (("BANKINDIA", "BANK OF INDIA"), ("BANKBARODA", "BANK OF BARODA"),
         ("HDFCBANK", "HDFC BANK LTD"), ("HDFCAMC", "HDFC AMC"), ("COALINDIA", "COAL INDIA LTD"),
         ("NESTLEIND", "NESTLE INDIA LTD"), ("SBIN", "STATE BANK OF INDIA"))  # fmt: skip


@pytest.mark.parametrize(
    ("title", "symbols"),
    [("HDFC Bank profit falls", ("HDFCBANK",)), ("Bank of Baroda raises rates", ("BANKBARODA",)),
     ("Coal prices crash in China", ()), ("Coal India to pay a dividend", ("COALINDIA",)),
     ("State Bank of India and Bank of India merge", ("SBIN", "BANKINDIA")),
     ("Nestle raises prices", ("NESTLEIND",)), ("A bank holiday in India", ())],
)  # fmt: skip
def test_a_company_is_named_by_its_whole_name_and_by_no_common_word(
    title: str, symbols: tuple[str, ...]
) -> None:
    assert named(title, *BANKS) == symbols


def test_the_newest_headline_tags_whatever_came_in_last() -> None:
    room = newsroom()
    room.take([Headline(1000, "x", "INFY surges to a record", sentiment=0.9)], 0)
    room.take([Headline(900, "slow", "INFY falls", sentiment=-0.9)], 0)
    assert room.tags(LISTED[1], 1010) == ("news +0.9",)


@pytest.mark.parametrize(
    "message",
    [b'{"title": "a\\ud800b"}', b'{"title": "t", "time": ' + b"9" * 400 + b"}",
     b'{"title": "t", "sentiment": ' + b"9" * 400 + b"}",
     b'{"title": "t", "time": "9999-12-31T23:59:59-12:00"}',
     b'{"title": "t", "link": "\\udfff"}'],
)  # fmt: skip
def test_whatever_a_message_holds_can_be_journalled(message: bytes) -> None:
    headline = read_message(message)
    assert msgspec.json.decode(msgspec.json.encode(headline), type=Headline) == headline


def test_a_feed_is_never_taken_for_the_name_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "feed.xml"
    file.write_bytes(RSS)
    with pytest.raises(NewsError):
        read_feed(str(file).encode(), "")
    with pytest.raises(NewsError, match="cannot be read"):
        read_feed(RSS.replace(b"Infosys", b"&#55296;"), "")


def test_what_is_known_already_is_counted_and_not_told_again() -> None:
    room = newsroom()
    assert len(room.take(read_feed(RSS, ""), 0)) == 2
    assert room.take(read_feed(RSS, ""), 0) == [] and room.repeated == 2


def test_an_alert_is_tagged_by_fresh_news_of_its_instrument_or_its_underlying() -> None:
    room, at_s = newsroom(), 1_765_773_000
    room.take(read_feed(RSS, ""), 0)
    for instrument in (LISTED[0], LISTED[4]):
        (tag,) = room.tags(instrument, at_s + 60)
        assert tag.startswith("news +")
    assert room.tags(LISTED[2], at_s + 60) == ()
    assert room.tags(LISTED[0], at_s - 60) == (), "news from the future"
    assert room.tags(LISTED[0], at_s + 3600) == (), "old news"


def test_news_is_a_record_that_tags_alerts_and_raises_none() -> None:
    easy = load(overrides=["alerts.min_confidence=0.0", "thresholds.volume_spike.min_bars=5"])
    day = market_day()
    at_s = day.recv_ns[-1] // 1_000_000_000 - 60

    def run(*titles: str) -> list[tuple[str, tuple[str, ...]]]:
        pipeline = Pipeline(easy, 200)
        news = RecordBatch()
        told = [Headline(at_s - 600, "x", title) for title in titles]
        news.append(Kind.NEWS, day.recv_ns[0], msgspec.json.encode(told))
        alerts = [*pipeline.apply(news).alerts, *pipeline.apply(day).alerts]
        return [(alert.alert_id, alert.tags) for alert in alerts]

    plain, tagged = run(), run("RELIANCE shares surge")
    assert [i for i, _ in plain] == [i for i, _ in tagged] and plain != tagged
    new = {tag for (_, a), (_, b) in zip(plain, tagged, strict=True) for tag in set(b) - set(a)}
    assert new == {"news +0.5"}
    assert at_s > MONDAY_OPEN_S


class Feed(BaseHTTPRequestHandler):
    """Serves a document, and 304 to whoever has it."""

    document = RSS
    asked: list[str | None] = []  # noqa: RUF012 - per server, see `feed`

    def do_GET(self) -> None:
        self.asked.append(self.headers.get("If-None-Match"))
        code = {"/rss": 200, "/gone": 404}.get(self.path.split("?")[0], 500)
        if self.headers.get("If-None-Match") == "one":
            code = 304
        self.send_response(code)
        self.send_header("ETag", "one")
        self.end_headers()
        if code == 200:
            self.wfile.write(self.document)

    def log_message(self, *_: Any) -> None:
        """Tests are quiet."""


class Taken:
    """An inbox that remembers."""

    def __init__(self) -> None:
        self.headlines: list[Headline] = []
        self.more = asyncio.Event()

    def put(self, kind: int, payload: bytes, connection: int = 0) -> None:
        assert kind == Kind.NEWS
        self.headlines += msgspec.json.decode(payload, type=list[Headline])
        self.more.set()

    async def play(self, batch: RecordBatch) -> None:
        raise AssertionError("nothing is played here")


@pytest.fixture
def feed() -> Iterator[tuple[str, type[Feed]]]:
    handler = type("Handler", (Feed,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


async def followed(urls: list[str], redis_url: str, seconds: float, **changes: Any) -> tuple[
        Taken, list[str]]:  # fmt: skip
    feeds = [FeedOfNews(url, 5) for url in urls]
    for of in feeds:
        msgspec.structs.force_setattr(of, "every_s", 0.1)
    settings = msgspec.structs.replace(SETTINGS.news, feeds=feeds, **changes)
    taken, notes = Taken(), list[str]()
    source = NewsSource(settings, "market_data.news", taken,
                        lambda _, text: notes.append(text))  # fmt: skip
    running = asyncio.ensure_future(source.run(redis_url))
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return taken, notes


async def test_a_feed_is_taken_once_and_asked_whether_it_changed(
    feed: tuple[str, type[Feed]],
) -> None:
    url, handler = feed
    taken, notes = await followed([f"{url}/rss"], "", 0.8, channel=False)
    assert [h.title for h in taken.headlines] == [h.title for h in read_feed(RSS, "")]
    assert handler.asked[0] is None and handler.asked[1:3] == ["one", "one"] and not notes


async def test_what_fails_is_said_once_without_its_key_and_the_others_go_on(
    feed: tuple[str, type[Feed]],
) -> None:
    url, _ = feed
    taken, notes = await followed(
        [f"{url}/gone?key=SECRET", "http://127.0.0.1:1/rss?key=SECRET", f"{url}/rss"], "", 0.8,
        channel=False,
    )  # fmt: skip
    assert len(taken.headlines) == 2
    assert sorted(notes) == ["127.0.0.1: ConnectError", "127.0.0.1: HTTP 404"]


async def test_the_channel_is_heard_and_what_is_no_news_is_said(redis_url: str) -> None:
    async def publish() -> None:
        client = Redis.from_url(redis_url)
        for _ in range(100):
            if await client.publish("market_data.news", b'{"title": "hello", "symbol": "INFY"}'):
                break
            await asyncio.sleep(0.05)
        await client.publish("market_data.news", b"garbage")
        await client.aclose()

    publishing = asyncio.ensure_future(publish())
    taken, notes = await followed([], redis_url, 1.5)
    await publishing
    assert [h.title for h in taken.headlines] == ["hello"]
    assert notes == ["market_data.news: a message is not JSON"]
