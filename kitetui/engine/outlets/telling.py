"""Telling: an engine's notifier, with its secrets, its channels, and what may still be sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kitetui.engine.alerts.alert import Origin
from kitetui.engine.alerts.flood import Notice
from kitetui.engine.alerts.validity import refusal
from kitetui.engine.calendar import SEGMENTS
from kitetui.engine.feed.batch import COLUMNS
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.session_clock import SessionClock
from kitetui.engine.sinks.notify.notifier import Notifier
from kitetui.engine.sinks.notify.outbox import Outbox
from kitetui.engine.sinks.notify.sender import Sender
from kitetui.places import Places
from kitetui.private_file import read_private
from kitetui.secret import Secret
from kitetui.settings import Settings

TOKEN = "KITETUI_TELEGRAM_TOKEN"  # noqa: S105 - the name of a variable
SECRETS_MAX = 16 << 10
_LTP = COLUMNS.index("ltp")


def notifier(settings: Settings, places: Places, pipeline: Pipeline, clock: SessionClock,
             note: Callable[[str, str], None]) -> Notifier | None:  # fmt: skip
    """The notifier that the settings ask for; None where they ask for none.

    Raises:
        OSError: the outbox cannot be used.
    """
    outbox: Outbox | None = None
    senders: list[Sender] = []
    if settings.telegram.chat_id:
        token = _token(places, note)
        if token is not None:
            from kitetui.engine.sinks.notify.telegram import Telegram

            outbox = Outbox(places.outbox)
            chat = outbox.fact("telegram", "moved") or str(settings.telegram.chat_id)
            box = outbox
            senders.append(Telegram(settings.telegram.base_url, token, chat,
                                    lambda to: box.note("telegram", "moved", to)))  # fmt: skip
    if settings.webhook.url:
        from kitetui.engine.sinks.notify.webhook import Webhook

        outbox = outbox or Outbox(places.outbox)
        senders.append(Webhook(settings.webhook.url))
    if others := _apprise(places, note):
        outbox = outbox or Outbox(places.outbox)
        senders.append(others)
    if outbox is None:
        return None
    loudness = {str(name): how for name, how in settings.notify.items()}
    return Notifier(outbox, senders, loudness,
                    lambda notice: why_not(pipeline, notice, clock.now_ns), note)  # fmt: skip


def why_not(pipeline: Pipeline, notice: Notice, session_ns: int) -> str:
    """Why a notice of one alert is not to be sent now; '' where it is."""
    (alert,) = notice.alerts
    now = pipeline.desk.get(alert.alert_id)
    if alert.origin is Origin.SYSTEM:
        return refusal(alert, now, None, 0.0, open_=True)
    market = pipeline.market
    row = int(market.rows.find(np.array([alert.token], np.int64))[0])
    if row < 0 or not market.packets.length[row]:
        return refusal(alert, now, None, 0.0, open_=True)
    now_s = session_ns / 1e9
    open_ = market.calendar.is_open(SEGMENTS[market.rows.hours[row]], now_s)
    age_s = now_s - float(market.normaliser.last_seen_s[row])
    price = market.rows.price(row, market.packets.cols[row][_LTP])
    if alert.about:  # what a chain's alert says is a premium, not its underlying's price
        price = alert.price
    return refusal(alert, now, price, age_s, open_=open_)


def _token(places: Places, note: Callable[[str, str], None]) -> Secret | None:
    """The bot's token: a file of the state folder that only its owner reads, or the variable."""
    path = places.state / "telegram_token"
    text = _private(path, note)
    if text is None:
        text = os.environ.get(TOKEN, "")
        if not text.strip():
            note("notify", f"telegram.chat_id is set, but neither {path} nor {TOKEN} holds a token")
    return Secret(text.strip()) if text.strip() else None


def _apprise(places: Places, note: Callable[[str, str], None]) -> Sender | None:
    """The services of the file `apprise_urls`, one a line, where there is one."""
    path = places.state / "apprise_urls"
    text = _private(path, note)
    urls = [Secret(line.strip()) for line in (text or "").splitlines() if line.strip()]
    if not urls:
        return None
    from kitetui.engine.sinks.notify.apprise import Apprise, NotInstalled

    try:
        return Apprise(urls)
    except (NotInstalled, ValueError) as error:
        note("notify", f"{path}: {error}")
        return None


def _private(path: Path, note: Callable[[str, str], None]) -> str | None:
    """The text of a file that only its owner reads; None where there is none, '' if unfit."""
    try:
        return read_private(path, SECRETS_MAX).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        note("notify", f"{path}: {error.strerror}")
        return ""
