"""Telegram: the bot API's sendMessage over httpx. The token stands in no error and no log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from kitetui.engine.alerts.flood import Notice
from kitetui.engine.http import httpx, trust
from kitetui.engine.sinks.notify.sender import Outcome, backoff_s
from kitetui.engine.sinks.notify.words import blocks, messages, plain
from kitetui.secret import Secret

TIMEOUT_S = 10.0
RETRY_AFTER_MAX_S = 3600
ANSWER_MAX = 64 << 10


class Telegram:
    """One chat of one bot.

    Attributes:
        chat_id: where to; changes when Telegram says that the chat has moved.
    """

    channel = "telegram"
    spacing_s = 1.0

    def __init__(self, base_url: str, token: Secret, chat_id: str,
                 moved: Callable[[str], None]) -> None:  # fmt: skip
        """`moved` is told a chat's other id."""
        self._base_url = base_url.rstrip("/")
        self._token = token
        self.chat_id = chat_id
        self._moved = moved
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, verify=trust(by_environment=True))
        self._parts: tuple[tuple[str, ...], int] = ((), 0)

    @property
    def per_minute(self) -> int:
        """Telegram allows groups and channels twenty a minute."""
        return 18 if self.chat_id.startswith(("-", "@")) else 60

    async def send(self, notices: Sequence[Notice], extra: str, *, silent: bool,
                   attempts: int) -> Outcome:  # fmt: skip
        """Send notices; a server that cannot parse them gets them once more without markup."""
        parts = [part for notice in notices for part in blocks(notice)]
        if extra:
            parts.append(extra)
        outcome = Outcome(True)
        same = tuple(notice.notice_id for notice in notices)
        first = self._parts[1] if self._parts[0] == same else 0
        for number, text in enumerate(messages(parts)[first:], first):
            outcome = await self._post(text, silent, attempts, html=True)
            if not outcome.sent and outcome.reason == _UNPARSED:
                outcome = await self._post(plain(text), silent, attempts, html=False)
            if not outcome.sent:
                self._parts = same, number
                break
        return outcome

    async def close(self) -> None:
        await self._client.aclose()

    async def _post(self, text: str, silent: bool, attempts: int, *, html: bool) -> Outcome:
        body: dict[str, Any] = {
            "chat_id": self.chat_id, "text": text, "disable_notification": silent,
            "link_preview_options": {"is_disabled": True},
        }  # fmt: skip
        if html:
            body["parse_mode"] = "HTML"
        url = f"{self._base_url}/bot{self._token.reveal()}/sendMessage"
        try:
            async with self._client.stream("POST", url, json=body) as answer:
                data = bytearray()
                async for part in answer.aiter_bytes():
                    data += part
                    if len(data) > ANSWER_MAX:
                        break
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Outcome(False, backoff_s(attempts), type(error).__name__)
        return self._read(answer.status_code, bytes(data), attempts)

    def _read(self, status: int, data: bytes, attempts: int) -> Outcome:
        try:
            told = orjson.loads(data)
        except orjson.JSONDecodeError:
            told = {}
        told = told if isinstance(told, dict) else {}
        if status == 200 and told.get("ok") is True:
            return Outcome(True)
        parameters = told.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        words = str(told.get("description", ""))[:120]
        if status == 429:
            wait = parameters.get("retry_after")
            wait_s = float(wait) if isinstance(wait, (int, float)) else backoff_s(attempts)
            return Outcome(False, min(max(wait_s, 1.0), RETRY_AFTER_MAX_S), "429")
        if "migrate_to_chat_id" in parameters:
            self.chat_id = str(parameters["migrate_to_chat_id"])
            self._moved(self.chat_id)
            return Outcome(False, 0.0, "the chat has moved")
        if status == 400 and "parse entities" in words:
            return Outcome(False, None, _UNPARSED)
        if status in (401, 404):
            return Outcome(False, None, f"HTTP {status}: the bot's token is refused", off=True)
        if status == 403:
            return Outcome(False, None, "HTTP 403: the bot is blocked in this chat", off=True)
        if status == 400:
            return Outcome(False, None, f"HTTP 400: {words}")
        return Outcome(False, backoff_s(attempts), f"HTTP {status}")


_UNPARSED = "can't parse entities"
