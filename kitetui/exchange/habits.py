"""Habits of a simulated session: what options and their underlyings do at which hour.

Volatility is dear until the morning's news is out and then falls; the middle of the day is calm;
on the day of expiry the index is pulled to the strike where most open interest lies, and more of
it is written there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

NEWS_MINUTE = 70
"""Minutes after the open at which the premium for the morning's news begins to leave."""
NEWS_MINUTES = 75
DEAR, USUAL = 1.0, 0.86
"""India VIX before and after the news, as shares of its listed price."""
HUMP, HUMP_LEFT = 1.3, 1.2
"""The nearest expiry's volatility over the others', before and after the news."""
CALM_FROM, CALM_UPTO, CALM = 110, 290, 0.42
"""Minutes of the session's middle, and how far prices move then."""
BACK_A_MINUTE = 0.03
"""Share of its way from where it was when the calm began that a price comes back in a minute."""
PULL_FROM = 195
PULL_A_MINUTE = 0.03
"""Share of the distance to the pin that a minute of an expiry's afternoon takes."""
WRITTEN_A_MINUTE = 0.006
"""Growth of open interest at the pin in a minute of that afternoon."""
STRIKES_WIDE = 7.0
PIN_TIMES = 3.0
"""Open interest at the pin over that of the strikes around it."""
VIX_DAYS, VIX_YEAR = 400, 252
VIX_REVERTS, VIX_MOVES = 0.08, 0.035
"""Past days of India VIX: how it comes back to its mean, and how it moves."""
VIX_BELOW = 0.65
"""Share of the past year's days on which it was lower than it is after today's news."""


def news_left(minute: float) -> float:
    """How much of the morning's premium is still there: 1 before the news, 0 long after."""
    return float(np.clip(1 - (minute - NEWS_MINUTE) / NEWS_MINUTES, 0.0, 1.0))


def vix_share(minute: float) -> float:
    """India VIX as a share of its listed price."""
    return USUAL + (DEAR - USUAL) * news_left(minute)


def hump(minute: float) -> float:
    """The nearest expiry's volatility over that of later ones."""
    return HUMP_LEFT + (HUMP - HUMP_LEFT) * news_left(minute)


def liveliness(minute: float) -> float:
    """How far prices move, times the usual."""
    return CALM if CALM_FROM <= minute < CALM_UPTO else 1.0


def comes_back(minute: float, minutes: float) -> float:
    """Share of a price's way since the calm began that these minutes take back."""
    return BACK_A_MINUTE * minutes if CALM_FROM <= minute < CALM_UPTO else 0.0


def pull(minute: float, minutes: float) -> float:
    """Share of the distance to the pin that these minutes of an expiry's session take."""
    return PULL_A_MINUTE * minutes if minute >= PULL_FROM else 0.0


def written(minute: float, minutes: float) -> float:
    """Growth of the pin's open interest in these minutes of an expiry's session."""
    return WRITTEN_A_MINUTE * minutes if minute >= PULL_FROM else 0.0


def open_interest_share(steps_from_money: int, pinned: bool) -> float:
    """Open interest of a strike as a share of the usual: less far away, most at the pin."""
    share = float(np.exp(-((steps_from_money / STRIKES_WIDE) ** 2)))
    return share * PIN_TIMES if pinned else share


def vix_closes(today: float, seed: int) -> F64:
    """India VIX at the close of past days, oldest first; `today`: in the morning, before the news.

    This morning it is dear beside them, after the news it is as on many of them.
    """
    rng = np.random.default_rng([seed, 5 << 20])
    level = np.zeros(VIX_DAYS)
    for at in range(1, VIX_DAYS):
        level[at] = level[at - 1] * (1 - VIX_REVERTS) + rng.normal(0, VIX_MOVES)
    level -= np.quantile(level[-VIX_YEAR:], VIX_BELOW)
    return np.asarray(np.round(today * USUAL * np.exp(level), 2))
