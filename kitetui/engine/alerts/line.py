"""A line of the scoreboard, as viewers get it."""

from __future__ import annotations

import msgspec


class Line(msgspec.Struct, frozen=True):
    """One pattern's record; rates are of resolved outcomes, timeouts counted as misses.

    Of firings without a side, whose pattern is called `... range`, hits moved farther than 1.5
    times the usual of their time of day, and there is no result in R.

    Attributes:
        n: resolved; independent: instruments' session days among them; hits: those that reached
            the target first.
        low, high: Wilson's 95 % interval of the rate; null: the mean rate by chance alone.
        lift: rate over null; NaN without. p_value: of so many hits by chance, one-sided.
        notable: whether it is beyond chance among all lines of the board (Benjamini and Hochberg,
            false discovery rate 10 %).
        expectancy_r: mean result in stops' distances after costs, with the interval of whole days
            drawn; gross_r: before costs.
        skill: Brier skill of the probabilities told, against always telling the base rate; ece:
            their expected calibration error.
        timeouts, ambiguous: shares; unresolvable: how many were left out for gaps of the feed.
        claim: whether "80 %" may be said: the interval lies above it and above the null, targets
            are as far as stops, the expectancy's interval is positive, and at least 100 are
            independent.
    """

    pattern: str
    timeframe: str
    asset_class: str
    n: int
    independent: int
    hits: int
    rate: float
    low: float
    high: float
    null: float
    lift: float
    p_value: float
    notable: bool
    gross_r: float
    expectancy_r: float
    expectancy_low: float
    expectancy_high: float
    profit_factor: float
    max_drawdown_r: float
    skill: float
    ece: float
    timeouts: float
    ambiguous: float
    median_bars: float
    unresolvable: int
    claim: bool
