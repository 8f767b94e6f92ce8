"""Makes `ours/`: a small series with what independent code says of it, and a longer one.

Indicators by TA-Lib and plain numpy, structure by the definitions written out as loops. Needs
the `oracle` extra. Run as `python -m tests.golden.make_ours`; its output is committed.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import talib

FOLDER = Path(__file__).with_name("ours")
LENGTH = 5
OPEN = datetime(2025, 3, 3, 9, 15)


def series() -> list[tuple[float, float, float, float, int]]:
    """A quiet walk with a break, a loud bar, a flat stretch and a gap."""
    rng = np.random.default_rng(11)
    out = []
    price = 100_000
    for n in range(200):
        step = 0 if 60 <= n < 66 else int(rng.integers(-6, 7)) * 5
        close, volume = price + step, int(rng.integers(900, 1100))
        if n == 120:
            close, volume = price + 400, 9000
        wick = 0 if 60 <= n < 66 else 5 * int(rng.integers(0, 4))
        high, low = max(price, close) + wick, min(price, close) - wick
        out.append((price / 100, high / 100, low / 100, close / 100, volume))
        price = close if n != 150 else close - 300
    return out


def sessions() -> list[tuple[str, float, float, float, float, int]]:
    """Four days that drift now and then, with more volume where they do, as bars with times."""
    rng = np.random.default_rng(9)
    out = []
    price, drift, loud = 800.0, 0.0, 1.0
    for day in range(4):
        price = round(price * (1 + rng.uniform(-0.006, 0.006)) * 20) / 20
        for n in range(375):
            if n % 25 == 0:
                drift, loud = rng.choice([-0.25, -0.1, 0, 0.1, 0.25]), rng.choice([1, 1, 2.5])
            close = round((price + drift + rng.normal(0, 0.45)) * 20) / 20
            high = max(price, close) + rng.integers(0, 7) * 0.05
            low = min(price, close) - rng.integers(0, 7) * 0.05
            usual = rng.lognormal(7.6, 0.5) * (1 + 1.5 * (abs(187 - n) / 187) ** 2)
            volume = int(usual * (loud if abs(drift) > 0.2 else 1))
            time = f"{OPEN + timedelta(days=day, minutes=n):%Y-%m-%d %H:%M:%S}"
            out.append((time, price, round(high, 2), round(low, 2), close, volume))
            price = close
    return out


def write(kind: str, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    _write(FOLDER / ("planted.csv" if not kind else f"planted.{kind}.csv"), head, lines)


def _write(path: Path, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(lines)


def text(value: float) -> str:
    return "" if not np.isfinite(value) else repr(float(value))


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    columns = ("ts", "open", "high", "low", "close", "volume")
    _write(FOLDER / "fired.csv", columns, sessions())
    bars = series()
    times = [f"{OPEN + timedelta(minutes=n):%Y-%m-%d %H:%M:%S}" for n in range(len(bars))]
    write("", columns,
          [(t, *bar) for t, bar in zip(times, bars, strict=True)])  # fmt: skip
    o, h, low, c, v = (np.array(column, np.float64) for column in zip(*bars, strict=True))
    typical = (h + low + c) / 3
    vwap = np.cumsum(typical * v) / np.cumsum(v)
    atr = talib.ATR(h, low, c, 14)
    columns = {
        **{f"ema{n}": talib.EMA(c, n) for n in (5, 9, 20, 50)},
        "rsi14": talib.RSI(c, 14), "atr14": atr, "atr14_before": np.append(np.nan, atr[:-1]),
        "adx14": talib.ADX(h, low, c, 14), "plus_di14": talib.PLUS_DI(h, low, c, 14),
        "minus_di14": talib.MINUS_DI(h, low, c, 14), "vwap": vwap,
        "volume_ratio": [np.nan if n < 20 else v[n] / v[n - 20 : n].mean() for n in range(200)],
        "volume_z": [np.nan if n < 60 else robust_z(v[n - 60 : n + 1]) for n in range(200)],
        "realised_volatility": [np.nan if n < 60 else realised(c[n - 60 : n + 1])
                                for n in range(200)],
    }  # fmt: skip
    write("indicators", ("ts", *columns),
          [(t, *(text(x[n]) for x in columns.values())) for n, t in enumerate(times)])  # fmt: skip
    pivots = swings(h, low)
    write("swings", ("ts", "bar", "known_at_bar", "side", "level"),
          [(times[b], b, b + LENGTH, s, float(x)) for b, s, x in pivots])  # fmt: skip
    write("gaps", ("ts", "bar", "side", "top", "bottom", "mitigated", "filled"),
          gaps(times, o, h, low, c))  # fmt: skip
    write("pools", ("side", "level", "touches", "first_bar", "last_bar", "swept_bar"),
          clusters(pivots, h, low))  # fmt: skip
    write("levels", ("session", "poc", "vah", "val"), [("2025-03-03", *profile(h, low, c, v))])


def robust_z(v: np.ndarray) -> float:
    logs = np.log1p(v)
    middle = np.median(logs[:-1])
    return float((logs[-1] - middle) / (1.4826 * np.median(np.abs(logs[:-1] - middle))))


def realised(c: np.ndarray) -> float:
    returns = np.diff(np.log(c))
    return float(np.sqrt((returns**2).mean() * 252 * 375))


def swings(h: np.ndarray, low: np.ndarray) -> list[tuple[int, int, float]]:
    out: list[tuple[int, int, float]] = []
    for p in range(2 * LENGTH - 1, len(h) - LENGTH):
        window = slice(p - LENGTH + 1, p + LENGTH + 1)
        if h[p] == h[window].max():
            pivot = (p, 1, h[p])
        elif low[p] == low[window].min():
            pivot = (p, -1, low[p])
        else:
            continue
        if out and out[-1][1] == pivot[1]:
            if (pivot[2] - out[-1][2]) * pivot[1] > 0:
                out[-1] = pivot
            continue
        out.append(pivot)
    return out


def gaps(times: list[str], o: np.ndarray, h: np.ndarray, low: np.ndarray, c: np.ndarray) -> (
        list[tuple[Any, ...]]):  # fmt: skip
    out = []
    for m in range(1, len(c) - 1):
        if c[m] > o[m] and h[m - 1] < low[m + 1]:
            side, top, bottom = 1, low[m + 1], h[m - 1]
        elif c[m] < o[m] and low[m - 1] > h[m + 1]:
            side, top, bottom = -1, low[m - 1], h[m + 1]
        else:
            continue
        touched = filled = ""
        for k in range(m + 2, len(c)):
            near = low[k] <= top if side > 0 else h[k] >= bottom
            far = low[k] <= bottom if side > 0 else h[k] >= top
            touched = touched if touched != "" else (k if near else "")
            filled = filled if filled != "" else (k if far else "")
        out.append((times[m], m, side, float(top), float(bottom), touched, filled))
    return out


def clusters(pivots: list[tuple[int, int, float]], h: np.ndarray, low: np.ndarray) -> (
        list[tuple[Any, ...]]):  # fmt: skip
    out = []
    for side in (1, -1):
        left = [(b, x) for b, s, x in pivots if s == side]
        while left:
            first, level = left.pop(0)
            tolerance = max(0.10, 5e-4 * level)
            swept: Any = ""
            for k in range(first + 1, len(h)):
                edge = level + side * tolerance
                if (h[k] >= edge) if side > 0 else (low[k] <= edge):
                    swept = k
                    break
            group = [(b, x) for b, x in left
                     if abs(x - level) <= tolerance and (swept == "" or b < swept)]  # fmt: skip
            left = [pair for pair in left if pair not in group]
            if group:
                levels = [level, *(x for _, x in group)]
                out.append((side, float(np.mean(levels)), len(levels), first, group[-1][0], swept))
    return sorted(out, key=lambda line: (line[3], -line[0]))


def profile(h: np.ndarray, low: np.ndarray, c: np.ndarray, v: np.ndarray) -> (
        tuple[float, float, float]):  # fmt: skip
    size = max(round(2e-4 * c[0] / 0.05), 1) * 5
    rows: dict[int, float] = {}
    for top, bottom, shares in zip(h, low, v, strict=True):
        span = range(round(bottom * 100) // size, round(top * 100) // size + 1)
        for row in span:
            rows[row] = rows.get(row, 0.0) + shares / len(span)
    first, last = min(rows), max(rows)
    volume = [rows.get(row, 0.0) for row in range(first, last + 1)]
    middle = (len(volume) - 1) / 2
    poc = min((n for n, x in enumerate(volume) if x == max(volume)),
              key=lambda n: (abs(n - middle), n))  # fmt: skip
    a = b = poc
    held = volume[poc]
    while held < 0.7 * sum(volume):
        above, below = sum(volume[b + 1 : b + 3]), sum(volume[max(a - 2, 0) : a])
        if b + 1 < len(volume) and (a == 0 or above >= below):
            b, held = min(b + 2, len(volume) - 1), held + above
        else:
            a, held = max(a - 2, 0), held + below
    return tuple(round((first + n) * size / 100, 6) for n in (poc, b + 1, a))  # type: ignore[return-value]


if __name__ == "__main__":
    main()
