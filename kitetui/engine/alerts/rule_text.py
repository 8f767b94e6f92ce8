"""A user's rule as text: a small grammar, read without evaluating anything.

    SYMBOL [FIELD [TIMEFRAME]] OPERATOR VALUE [FREQUENCY] [PRIORITY] [until WHEN] [note WORDS]

`NIFTY 50 > 24500 once P1`, `RELIANCE rsi 5m > 70 bar`, `NIFTY straddle < 200 until 15:00`,
`SBIN crosses below 870 minute note stop of the swing`
"""

from __future__ import annotations

import re
from datetime import date, datetime, time, timedelta
from hashlib import blake2b

import msgspec

from kitetui.engine.alerts.alert import Priority
from kitetui.engine.calendar import IST, ist

TEXT_MAX, NOTE_MAX = 300, 160
FIELDS = {
    "price": "", "change": "", "spread": "", "oi": "", "oi_change": "", "straddle": "",
    "volume_ratio": "5m", "rsi": "5m", "adx": "5m", "atr": "5m", "ema20": "5m", "vwap": "5m",
}  # fmt: skip
"""What a rule may ask for, and the timeframe that is meant where none is given ('': none)."""
TIMEFRAMES = ("1m", "3m", "5m", "15m")
LONGEST_S = 366 * 86_400
TOO_LONG = "a rule watches for a year at most"
FREQUENCIES = ("once", "minute", "bar", "close")
_OPERATORS = {">": 1, ">=": 1, "above": 1, "<": -1, "<=": -1, "below": -1}


class RuleError(Exception):
    """A text that is no rule; says what is wrong and what is expected."""


class Rule(msgspec.Struct, frozen=True):
    """One rule.

    Attributes:
        side: 1 for above, -1 for below; crossing: whether it must come from the other side.
        frequency: `once`, once a `minute`, once a `bar`, or at a bar's `close`.
        until_s: epoch second at which it ends.
        actor: whose it is.
    """

    rule_id: str
    text: str
    symbol: str
    field: str
    timeframe: str
    side: int
    crossing: bool
    value: float
    frequency: str
    priority: Priority
    until_s: int
    note: str
    actor: str = ""


def parse(text: str, now_s: int, actor: str = "") -> Rule:
    """A rule.

    Args:
        now_s: epoch second, for times of today and for those that say no end: the day's.

    Raises:
        RuleError: what is wrong, and what is expected.
    """
    if len(text) > TEXT_MAX:
        raise RuleError(f"a rule has at most {TEXT_MAX} characters")
    head, _, note = text.partition(" note ")
    words = head.split()
    at, crossing = _operator(words)
    side = _OPERATORS[words[at]]
    symbol, field, timeframe = _left(words[: at - crossing])
    if len(words) < at + 2:
        raise RuleError("a number is missing behind the operator, such as > 24500")
    value = _value(words[at + 1])
    frequency, priority, until_s = "once", Priority.P2, 0
    rest = words[at + 2 :]
    while rest:
        word = rest.pop(0)
        if word.lower() in FREQUENCIES:
            frequency = word.lower()
        elif word.upper() in ("P1", "P2", "P3"):
            priority = Priority[word.upper()]
        elif word.lower() == "until" and rest:
            until_s = _until(rest.pop(0), now_s)
        else:
            raise RuleError(
                f"{word!r} is not understood; expected {', '.join(FREQUENCIES)}, P1, P2, P3, "
                "until HH:MM, until YYYY-MM-DD or note WORDS"
            )
    if frequency in ("bar", "close") and not timeframe:
        timeframe = "5m"
    canon = " ".join([*words, *(("note", note.strip()) if note else ())])
    rule_id = blake2b(canon.encode(), digest_size=4).hexdigest()
    return Rule(rule_id, canon, symbol, field, timeframe, side, crossing, value, frequency,
                priority, until_s or _end_of_day(now_s), note.strip()[:NOTE_MAX],
                actor)  # fmt: skip


def _operator(words: list[str]) -> tuple[int, bool]:
    """Place of the operator, and whether `crosses` stands before it."""
    for at, word in enumerate(words):
        if word in _OPERATORS:
            crossing = at > 0 and words[at - 1].lower() == "crosses"
            if word in ("above", "below") and not crossing:
                continue
            if at - crossing < 1:
                raise RuleError("a symbol is missing before the operator, such as NIFTY 50 > 24500")
            return at, crossing
    raise RuleError(
        "an operator is missing; expected >, <, crosses above or crosses below, such as "
        "NIFTY 50 > 24500"
    )


def _left(words: list[str]) -> tuple[str, str, str]:
    """Symbol, field and timeframe."""
    timeframe = words.pop() if len(words) > 1 and words[-1] in TIMEFRAMES else ""
    field = words.pop().lower() if len(words) > 1 and words[-1].lower() in FIELDS else "price"
    if timeframe and not FIELDS[field]:
        raise RuleError(f"{field} has no timeframe; leave {timeframe} out")
    return " ".join(words), field, timeframe or FIELDS[field]


def _value(word: str) -> float:
    text = word.replace(",", "").rstrip("%")
    if not re.fullmatch(r"[+-]?(\d{1,12}(\.\d{1,6})?|\.\d{1,6})", text):
        raise RuleError(f"{word!r} is no number")
    return float(text)


def _until(word: str, now_s: int) -> int:
    try:
        if re.fullmatch(r"\d{1,2}:\d\d", word):
            hour, minute = map(int, word.split(":"))
            at = datetime.combine(ist(now_s).date(), time(hour, minute), IST)
        else:
            at = datetime.combine(date.fromisoformat(word) + timedelta(days=1), time(0), IST)
        until_s = int(at.timestamp())
    except OverflowError:  # the day after the last one
        until_s = now_s + LONGEST_S + 1
    except ValueError:
        raise RuleError(f"until {word}: expected HH:MM or YYYY-MM-DD") from None
    if until_s <= now_s:
        raise RuleError(f"until {word}: that is over already")
    if until_s > now_s + LONGEST_S:
        raise RuleError(f"until {word}: {TOO_LONG}")
    return until_s


def _end_of_day(now_s: int) -> int:
    return int(datetime.combine(ist(now_s).date() + timedelta(days=1), time(0), IST).timestamp())
