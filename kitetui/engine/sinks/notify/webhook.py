"""A webhook: notices as JSON to a URL of the user's."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kitetui.engine.alerts.flood import Notice
from kitetui.engine.http import httpx, trust
from kitetui.engine.sinks.notify.sender import Outcome, backoff_s

TIMEOUT_S = 10.0


class Webhook:
    """POSTs `{"notices": [...], "note": ""}`; any 2xx takes them."""

    channel = "webhook"
    spacing_s = 0.2
    per_minute: int = 120

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, verify=trust(by_environment=True))

    async def send(self, notices: Sequence[Notice], extra: str, *, silent: bool,
                   attempts: int) -> Outcome:  # fmt: skip
        """Send notices as one document."""
        body = msgspec.json.encode({"notices": list(notices), "note": extra, "silent": silent})
        try:
            answer = await self._client.post(
                self._url, content=body, headers={"Content-Type": "application/json"}
            )
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Outcome(False, backoff_s(attempts), type(error).__name__)
        status = answer.status_code
        if 200 <= status < 300:
            return Outcome(True)
        if status in (408, 425, 429) or status >= 500:
            told = answer.headers.get("retry-after", "")
            return Outcome(False, float(told) if told.isdecimal() else backoff_s(attempts),
                           f"HTTP {status}")  # fmt: skip
        return Outcome(False, None, f"HTTP {status}")

    async def close(self) -> None:
        await self._client.aclose()
