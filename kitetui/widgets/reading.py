"""Lines below the ladder: what is computed of the focused instrument. Undefined is a dash."""

from __future__ import annotations

from kitetui.engine.snapshot import (
    BookReading,
    ChainReading,
    Depth,
    Numbers,
    OptionReading,
    ProfileReading,
)
from kitetui.widgets.lines import Line
from kitetui.widgets.numbers import compact, price
from kitetui.widgets.safe_text import clean

WARM_BARS = 250
NONE = "–"
AVERAGE_GAP = 0.001
"""Our VWAP and the exchange's average price are the same trades: beyond this, say so."""


def book_lines(d: Depth) -> list[Line]:
    """How the book changed over the last seconds."""
    if d.reading is None or d.reading.book is None or d.is_index:
        return []
    return _book(d.reading.book, d.decimals)


def reading_lines(d: Depth) -> list[Line]:
    """All other lines there is something to say in."""
    r = d.reading
    if r is None:
        return []
    lines: list[Line] = []
    if r.option is not None:
        lines.append(_option(r.option))
    lines += [_numbers(numbers, d.decimals) for numbers in r.frames]
    if r.profile is not None:
        lines.append(profile_line(r.profile, d.decimals))
        gap = r.profile.average_gap
        if gap is not None and abs(gap) > AVERAGE_GAP:
            lines.append(((f" ! our vwap lies {gap:+.2%} from the exchange's average", "warn"),))
    if r.chain is not None:
        lines += chain_lines(r.chain, d.decimals)
    return lines


def _book(b: BookReading, decimals: int) -> list[Line]:
    flow = b.flow
    return [
        (
            (" pull/stack 5s  ", "dim"),
            (f"bid −{compact(flow['bid_pulled'])} / +{compact(flow['bid_stacked'])}", "bid"),
            ("   ", ""),
            (f"ask −{compact(flow['ask_pulled'])} / +{compact(flow['ask_stacked'])}", "ask"),
        ),
        (
            (" micro ", "dim"),
            (_price(b.microprice, decimals), ""),
            ("  ofi 5s ", "dim"),
            (f"{'+' * (flow['ofi'] > 0)}{compact(flow['ofi'])}", _side(flow["ofi"])),
            ("  largest ", "dim"),
            (f"{compact(b.largest_quantity)} @ {price(b.largest_price, decimals)}", ""),
        ),
    ]


def _numbers(n: Numbers, decimals: int) -> Line:
    """RSI and ADX are shown once they are warm; until then, how far they are."""
    if n.warm:
        wilder = f"rsi {_fixed(n.rsi, 1)} adx {_fixed(n.adx, 0)}"
    else:
        wilder = f"rsi, adx in {WARM_BARS - n.bars} bars"
    band = f" ±{price(n.vwap_sd, decimals)}" if n.vwap_sd is not None else ""
    return (
        (f" {n.timeframe:3}", "head"),
        (f" {wilder}", "" if n.warm else "dim"),
        (f" vol ×{_fixed(n.volume_ratio, 1)} atr {_price(n.atr, decimals)}", ""),
        (f" vwap {_price(n.vwap, decimals)}{band}", ""),
        (f" ema20 {_price(n.ema20, decimals)}", "dim"),
    )


def profile_line(p: ProfileReading, decimals: int) -> Line:
    """Point of control and value area, of this session and of the last one."""
    past = ""
    if p.past_poc is not None:
        past = f" last day {_price(p.past_val, decimals)}–{_price(p.past_vah, decimals)}"
    return (
        (" profile", "head"),
        (f" poc {price(p.poc, decimals)}", ""),
        (f" value {price(p.val, decimals)}–{price(p.vah, decimals)}", ""),
        (past, "dim"),
        (f" vpin {_fixed(p.vpin, 3)}", "" if p.vpin is not None else "dim"),
        (f" poc 5 d {price(p.composite_poc, decimals)}" if p.composite_poc else "", "dim"),
    )


def _option(o: OptionReading) -> Line:
    if o.volatility is None:
        return ((" option", "head"), (f"  iv undefined: {clean(o.reason)}", "dim"))
    change = f"  oi {'+' * (o.oi_change > 0)}{compact(o.oi_change)}" if o.oi_change else ""
    return (
        (" option", "head"),
        (f"  iv {o.volatility:.1%}  Δ {_fixed(o.delta, 2)}  Γ {_fixed(o.gamma, 5)}", ""),
        (f"  θ {_fixed(o.theta, 2)}  ν {_fixed(o.vega, 2)}{change}", ""),
    )


def chain_lines(c: ChainReading, decimals: int) -> list[Line]:
    """A chain in two lines."""
    rank = ""
    if c.rank_of:
        rank = f"  ivr {_fixed(c.rank, 0)} ivp {_fixed(c.percentile, 0)} "
        rank += f"({clean(c.rank_of)}, {c.rank_days} d)"
    volatility = f"{c.volatility:.1%}" if c.volatility is not None else NONE
    return [
        (
            (f" {clean(c.name)} {clean(c.expiry)}", "head"),
            (f"  {c.days:.1f} d  forward {_price(c.forward, decimals)}", ""),
            (f" by {c.by}" if c.by else "", "dim"),
            (f"  iv {volatility}{rank}", ""),
        ),
        (
            (f" straddle {_whole(c.strike)}: {_price(c.straddle, decimals)}", ""),
            (f" vwap {_price(c.straddle_vwap, decimals)}", ""),
            (f" pcr {_fixed(c.pcr, 2)} max pain {_whole(c.max_pain)}", ""),
            (f" walls {_whole(c.put_wall)}–{_whole(c.call_wall)}", ""),
        ),
    ]


def _price(value: float | None, decimals: int) -> str:
    return NONE if value is None else price(value, decimals)


def _fixed(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value:.{digits}f}"


def _whole(value: float | None) -> str:
    return NONE if value is None else f"{value:,.0f}"


def _side(value: int) -> str:
    return "up" if value > 0 else "down" if value < 0 else "dim"
