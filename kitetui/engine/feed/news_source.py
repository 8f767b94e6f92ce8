"""Where news comes from: feeds that are asked now and then, and a Redis channel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from kitetui.engine.clock import sleep
from kitetui.engine.feed.channel import listen
from kitetui.engine.feed.news import Headline, NewsError, read_feed, read_message
from kitetui.engine.feed.records import Kind
from kitetui.engine.feed.sources import Inbox
from kitetui.engine.http import httpx, trust
from kitetui.engine.http_body import TooLarge, body
from kitetui.settings import FeedOfNews, NewsSettings

BYTES_MAX = 2 << 20
TIMEOUT_S = 15.0
RETRY_MAX_S = 900.0
KNOWN_MAX = 2000


class NewsSource:
    """Puts headlines into the inbox; what fails is said once, and tried again later."""

    def __init__(self, settings: NewsSettings, channel: str, inbox: Inbox,
                 note: Callable[[str, str], None]) -> None:  # fmt: skip
        self._settings = settings
        self._channel = channel
        self._inbox = inbox
        self._note = note
        self._said = ""

    async def run(self, redis_url: str) -> None:
        """Ask and listen, for ever."""
        async with asyncio.TaskGroup() as group:
            for feed in self._settings.feeds:
                group.create_task(self._follow(feed))
            if self._settings.channel:
                group.create_task(listen(redis_url, self._channel, "kitetui-news", self._hear))

    async def _follow(self, feed: FeedOfNews) -> None:
        host = urlsplit(feed.url).hostname or "?"  # a URL may hold a key
        known: dict[tuple[str, str], None] = {}
        headers: dict[str, str] = {}
        said, wait_s = "", feed.every_s
        async with httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=True, max_redirects=3,
                                     verify=trust(by_environment=True)) as client:  # fmt: skip
            while True:
                try:
                    found = await self._ask(client, feed.url, headers, host)
                    fresh = [h for h in found if (h.source, h.title) not in known]
                    known.update(dict.fromkeys((h.source, h.title) for h in fresh))
                    for key in list(known)[: max(len(known) - KNOWN_MAX, 0)]:
                        del known[key]
                    self._put(fresh)
                    said, wait_s = "", feed.every_s
                except (httpx.HTTPError, httpx.InvalidURL, NewsError, TooLarge) as error:
                    ours = isinstance(error, NewsError | TooLarge)
                    reason = str(error) if ours else type(error).__name__
                    if reason != said:
                        self._note("news", f"{host}: {reason}")
                    said, wait_s = reason, min(wait_s * 2, max(RETRY_MAX_S, feed.every_s))
                await sleep(wait_s)

    async def _ask(self, client: httpx.AsyncClient, url: str, headers: dict[str, str],
                   host: str) -> list[Headline]:  # fmt: skip
        """What a feed says now; nothing where it says that nothing changed."""
        async with client.stream("GET", url, headers=headers) as answer:
            if answer.status_code == 304:
                return []
            if answer.status_code != 200:
                raise NewsError(f"HTTP {answer.status_code}")
            data = await body(answer, BYTES_MAX)
            for sent, told in (("If-None-Match", "etag"), ("If-Modified-Since", "last-modified")):
                mark = answer.headers.get(told, "")
                if mark and mark.isascii():  # anything else could not be sent back
                    headers[sent] = mark
        return await asyncio.to_thread(read_feed, data, host)

    def _put(self, headlines: list[Headline]) -> None:
        if headlines:
            self._inbox.put(Kind.NEWS, msgspec.json.encode(headlines))

    async def _hear(self, data: bytes | None) -> None:
        try:
            if data is None:
                raise NewsError("a message is too long")
            self._put([read_message(data)])
            self._said = ""
        except NewsError as error:
            if str(error) != self._said:
                self._note("news", f"{self._channel}: {error}")
            self._said = str(error)
