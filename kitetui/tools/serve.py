"""`kitetui exchange`: puts the plan of a simulated exchange together and runs it."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path

from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.engine.calendar import IST, Calendar, Session
from kitetui.engine.clock import wall_ns
from kitetui.exchange.faults import parse
from kitetui.exchange.paths import Day
from kitetui.exchange.run import ExchangePlan, run
from kitetui.settings import Settings

PAST_SESSIONS = 21
DEFAULT_CLOCK = "10:15"


def serve_exchange(settings: Settings, *, port: int, rest_port: int, instruments: int, rate: float,
                   seed: int, speed: str, clock: str | None, faults: str,
                   recording: Path | None, plant: str, redirect: str,
                   stop_on_eof: bool) -> int:  # fmt: skip
    """Serve until told to stop; the exit code."""
    from kitetui.engine.feed.journal_reader import JournalError

    try:
        factor = None if speed == "max" else float(speed)
        if factor is not None and factor <= 0:
            raise ValueError
    except ValueError:
        fail(EXIT_CONFIG, f"--speed {speed}: expected a number above 0, or max")
    try:
        planned = parse(faults)
    except ValueError as error:
        fail(EXIT_CONFIG, f"--faults: {error}")
    calendar = Calendar(settings.calendar)
    try:
        start_s, sessions = session_clock(calendar, clock, wall_ns() // 1_000_000_000)
    except ValueError:
        fail(EXIT_CONFIG, f"--clock {clock}: expected HH:MM or an ISO time inside a session")
    plan = ExchangePlan(
        port=port, rest_port=rest_port,
        days=[Day(s.open_s, s.close_s) for s in sessions], start_s=start_s,
        instruments=instruments, rate=rate, seed=seed, speed=factor, faults=planned,
        recording=recording, plant=plant, stop_on_eof=stop_on_eof,
        redirect=redirect or f"http://127.0.0.1:{settings.login.port}/",
    )  # fmt: skip
    try:
        asyncio.run(run(plan))
    except JournalError as error:
        fail(EXIT_CONFIG, str(error))
    except KeyError as error:
        fail(EXIT_CONFIG, f"--plant: {error} is not listed")
    except OSError as error:
        fail(
            EXIT_UNAVAILABLE,
            f"ports {port} and {rest_port}: {error.strerror or error}; "
            "choose others with --port and --rest-port, or 0",
        )
    return 0


def session_clock(calendar: Calendar, clock: str | None, now_s: int) -> tuple[int, list[Session]]:
    """The second to start at, and the sessions up to it.

    Raises:
        ValueError: `clock` is no time inside a session.
    """
    if clock is not None and not re.fullmatch(r"\d{1,2}:\d{2}", clock):
        at = datetime.fromisoformat(clock)
        start_s = int((at if at.tzinfo else at.replace(tzinfo=IST)).timestamp())
        days = calendar.last_sessions(start_s, PAST_SESSIONS + 1)
    else:
        hour, minute = (clock or DEFAULT_CLOCK).split(":")
        days = calendar.last_sessions(now_s, PAST_SESSIONS + 1)
        start_s = days[-1] * 86_400 - 19_800 + int(hour) * 3600 + int(minute) * 60
    sessions = [s for day in days if (s := calendar.session("equity", day)) is not None]
    if clock is None and sessions and not sessions[-1].open_s <= start_s < sessions[-1].close_s:
        # A special session, such as the hour of Muhurat trading, has no quarter past ten.
        length_s = sessions[-1].close_s - sessions[-1].open_s
        start_s = sessions[-1].open_s + length_s // 6 // 60 * 60
    if not sessions or not sessions[-1].open_s <= start_s < sessions[-1].close_s:
        raise ValueError
    return start_s, sessions
