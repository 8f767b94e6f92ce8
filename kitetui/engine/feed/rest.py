"""Kite's REST: the instrument dump and minute history. Errors carry no secrets."""

from __future__ import annotations

from collections.abc import Callable

from kitetui.engine.calendar import ist
from kitetui.engine.clock import monotonic_ns, sleep
from kitetui.engine.feed.credentials import Credentials, CredentialsError
from kitetui.engine.http import httpx, trust
from kitetui.engine.http_body import TooLarge, body
from kitetui.settings import FeedSettings

DUMP_TIMEOUT_S = 60.0
BYTES_MAX = 64 << 20
"""The whole dump has some ten megabytes."""
TRIES = 4


class RestError(Exception):
    """A call that failed for good: its route and what the server said, without secrets."""


class KiteRest:
    """The calls that the engine needs, within Kite's rates."""

    def __init__(self, settings: FeedSettings, credentials: Callable[[], Credentials]) -> None:
        self._settings = settings
        self._credentials = credentials
        self._client = httpx.AsyncClient(
            base_url=settings.rest_url, timeout=15.0, trust_env=False,
            verify=trust(by_environment=False), headers={"X-Kite-Version": "3"},
        )  # fmt: skip
        self._next_history_ns = 0

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.aclose()

    async def instruments(self) -> bytes:
        """The whole dump as CSV; needs no login.

        Raises:
            RestError: it cannot be fetched.
        """
        return await self._get("/instruments", {}, authorised=False, within_s=DUMP_TIMEOUT_S)

    async def candles(self, token: int, interval: str, from_s: float, to_s: float) -> bytes:
        """The answer with candles of [from_s, to_s] and open interest, as it came.

        Args:
            interval: Kite's word, such as `minute` or `day`.

        Raises:
            RestError: it cannot be fetched.
        """
        wait_ns = self._next_history_ns - monotonic_ns()
        if wait_ns > 0:
            await sleep(wait_ns / 1e9)
        self._next_history_ns = monotonic_ns() + int(1.02e9 / self._settings.history_per_s)
        query = {"from": f"{ist(from_s):%Y-%m-%d %H:%M:%S}", "to": f"{ist(to_s):%Y-%m-%d %H:%M:%S}",
                 "oi": "1"}  # fmt: skip
        return await self._get(f"/instruments/historical/{token}/{interval}", query)

    def _headers(self, authorised: bool) -> dict[str, str]:
        if not authorised:
            return {}
        login = self._credentials()
        return {"Authorization": f"token {login.api_key}:{login.access_token.reveal()}"}

    async def _get(self, route: str, query: dict[str, str], *, authorised: bool = True,
                   within_s: float = 15.0) -> bytes:  # fmt: skip
        reason = ""
        for attempt in range(TRIES):
            try:
                async with self._client.stream(
                    "GET", route, params=query, headers=self._headers(authorised),
                    timeout=within_s,
                ) as answer:  # fmt: skip
                    if answer.status_code == 200:
                        return await body(answer, BYTES_MAX)
            except httpx.HTTPError as error:
                reason = type(error).__name__
            except TooLarge as error:
                reason = str(error)
                break
            except CredentialsError as error:  # they were there at the start
                reason = str(error)
            else:
                reason = f"HTTP {answer.status_code}"
                if answer.status_code not in (429, 500, 502, 503, 504):
                    break
            await sleep(0.5 * 2**attempt)
        raise RestError(f"{route}: {reason}")
