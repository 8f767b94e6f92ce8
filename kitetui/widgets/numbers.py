"""Numbers and times as people read them. Ages are quantised, so that they repaint seldom."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

IST = timezone(timedelta(hours=5, minutes=30))
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_SPARKS = "▁▂▃▄▅▆▇█"


def price(value: float, decimals: int = 2) -> str:
    """1,234.50"""
    return f"{value:,.{decimals}f}"


def compact(value: float) -> str:
    """812, 9,999, 41.2K, 734K, 4.1M, 1.2B: at most six characters."""
    size = abs(value)
    if size < 1e4:
        return f"{value:,.0f}"
    for limit, unit in ((1e6, "K"), (1e9, "M"), (1e12, "B"), (1e15, "T")):
        if size < limit:
            scaled = value / limit * 1e3
            return f"{scaled:.1f}{unit}" if abs(scaled) < 99.95 else f"{scaled:.0f}{unit}"
    return f"{value:.0e}"


def percent(value: float | None) -> str:
    """+0.82, or a dash where it is unknown."""
    return "–" if value is None else f"{value:+.2f}"


def change_style(value: float | None) -> str:
    """The style of a change."""
    return "dim" if not value else "up" if value > 0 else "down"


def arrow(direction: float | None) -> str:
    """▲ up, ▼ down, = unchanged: colour never tells alone."""
    return "=" if not direction else "▲" if direction > 0 else "▼"


def age(seconds: float) -> str:
    """0.4s, 7s, 2m10: coarser the older it is."""
    if seconds < 0:
        return "–"
    if seconds < 2:
        return f"{int(seconds * 5) / 5:.1f}s"
    if seconds < 10:
        return f"{int(seconds)}s"
    if seconds < 120:
        return f"{int(seconds) // 10 * 10}s"
    minutes = int(seconds) // 60
    return f"{minutes}m" if minutes < 120 else f"{minutes // 60}h"


def coarse_age(seconds: float) -> str:
    """<10s, 20s, 2m: what a slow link can carry."""
    return "<10s" if 0 <= seconds < 10 else age(seconds)


def clock(seconds: float) -> str:
    """HH:MM:SS in India."""
    if seconds <= 0:
        return "--:--:--"
    return f"{datetime.fromtimestamp(seconds, UTC).astimezone(IST):%H:%M:%S}"


def stamp(seconds: float) -> str:
    """20261126-140506 in India, for the name of a file."""
    return f"{datetime.fromtimestamp(max(seconds, 0), UTC).astimezone(IST):%Y%m%d-%H%M%S}"


def clock_minute(seconds: float) -> str:
    """HH:MM in India."""
    return clock(seconds)[:5]


def moment(seconds: float, now_s: float) -> str:
    """HH:MM in India; 26Nov where that is of another day than now."""
    at, now = (datetime.fromtimestamp(max(s, 0), UTC).astimezone(IST) for s in (seconds, now_s))
    return clock_minute(seconds) if seconds <= 0 or at.date() == now.date() else f"{at:%d%b}"


def bar(share: float, width: int) -> str:
    """A bar of eighths of a cell, `width` cells at share 1."""
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def bar_left(share: float, width: int) -> str:
    """A bar that grows from the right, in halves of a cell."""
    halves = round(min(max(share, 0.0), 1.0) * width * 2)
    full, half = divmod(halves, 2)
    return ("▐" * half + "█" * full).rjust(width)


def spark(values: tuple[float, ...], width: int) -> str:
    """A sparkline of the newest values."""
    shown = values[-width:]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    span = high - low
    if not span:
        return "▄" * len(shown)
    return "".join(_SPARKS[round((v - low) / span * 7)] for v in shown)


def short_pattern(pattern: str, width: int) -> str:
    """A pattern whose sub-type stays whole where both do not fit."""
    family, dot, kind = pattern.partition(".")
    if len(pattern) <= width or not dot:
        return pattern
    return f"{family[: max(width - len(kind) - 1, 1)]}.{kind}"
