"""The price chart: candles, session VWAP, value area, volume, and where alerts were raised."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import Candle, Chart, Snapshot
from kitetui.keys import bindings, heading
from kitetui.widgets.candles import Scale, column, scale
from kitetui.widgets.lines import Line, Span, whole
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import arrow, clock_minute, compact, percent, price

TIMEFRAMES = (1, 3, 5, 15)
AXIS = 15
"""Cells of the price axis: a level's name and six digits of rupees, with room between."""
VOLUME_ROWS = 3
LABEL_EVERY = 10
"""Columns from one time to the next on the axis below."""
_EIGHTHS = " ▁▂▃▄▅▆▇█"


class ChartPane(LivePane):
    """A column a bar, the newest at the right.

    Attributes:
        minutes: the timeframe.
    """

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("chart")]

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.minutes = TIMEFRAMES[0]

    @property
    def wanted(self) -> int:
        """Bars that there is room for."""
        return max(self.size.width - AXIS - 1, 1)

    def action_timeframe(self, by: int) -> None:
        """A longer timeframe, or a shorter one."""
        if self.keeps():
            return
        at = TIMEFRAMES.index(self.minutes) + by
        self.minutes = TIMEFRAMES[min(max(at, 0), len(TIMEFRAMES) - 1)]
        self.asks()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the chart of a snapshot."""
        d, chart = snapshot.depth, snapshot.chart
        symbol = f" {d.symbol}" if d is not None else ""
        self.title(f"{heading('chart')}{symbol} {self.minutes}m", "• vwap  ╌ value area  ▲▼ alerts")
        if chart is None or not chart.candles:
            self.show([(("… no bar yet: the first closes at the end of its minute", "dim"),)])
            return
        decimals = d.decimals if d is not None else 2
        self.show(_drawn(chart, self.size.width, self.size.height, decimals),
                  stale=d is not None and d.stale)  # fmt: skip


def _drawn(chart: Chart, width: int, height: int, decimals: int) -> list[Line]:
    candles = chart.candles[-max(width - AXIS - 1, 1) :]
    traded = any(c.volume for c in candles)  # an index is not
    rows = max(height - (VOLUME_ROWS if traded else 0) - 3, 3)
    low, high = min(c.low for c in candles), max(c.high for c in candles)
    on = scale(low, high, rows)
    columns = [column(c.open, c.high, c.low, c.close, on, rows) for c in candles]
    marks = {on.row(c.vwap): "•" for c in candles if c.vwap}  # rows that VWAP reaches at all
    last = candles[-1]
    lines: list[Line] = [whole(_head(chart, last, decimals), width)]
    at_last = on.row(last.close)
    for row in range(rows):
        lines.append((*_row(row, candles, columns, on, chart, bool(marks)),
                      _axis(row, rows, on, chart, at_last, last, decimals)))  # fmt: skip
    lines.append((*_alerts(chart, candles), ("", "")))
    if traded:
        lines += _volume(candles)
    lines.append(_times(candles))
    return lines


def _head(chart: Chart, last: Candle, decimals: int) -> Line:
    moved = (last.close / last.open - 1) * 100 if last.open else None
    o, h, low, c = (price(v, decimals) for v in (last.open, last.high, last.low, last.close))
    style = "up" if last.close > last.open else "down" if last.close < last.open else "dim"
    vwap = f"  vwap {price(last.vwap, decimals)}" if last.vwap else ""
    return (
        (f" {clock_minute(last.start_s)} ", "dim"),
        (f"o {o} h {h} l {low} c {c} ", ""),
        (f"{arrow(last.close - last.open)} {percent(moved)}%", style),
        (f"  vol {compact(last.volume)}" if last.volume else "", "dim"),
        ("  ~" if last.uncertain else "", "warn"),
        (vwap, "dim"),
        ("  forming" if chart.forming else "", "dim"),
    )  # fmt: skip


def _row(row: int, candles: tuple[Candle, ...], columns: list[list[str]], on: Scale, chart: Chart,
         vwap: bool) -> list[Span]:  # fmt: skip
    """One row of the plot; neighbours of one style are one span."""
    out: list[Span] = []
    edges = {on.row(level) for level in (chart.vah, chart.val) if level}
    poc = on.row(chart.poc) if chart.poc else -1
    for candle, glyphs in zip(candles, columns, strict=True):
        glyph = glyphs[row]
        style = "up" if candle.close > candle.open else "down" if candle.close < candle.open else ""
        if glyph == " ":
            if vwap and candle.vwap and on.row(candle.vwap) == row:
                glyph, style = "•", "accent"
            elif row == poc:
                glyph, style = "─", "warn"
            elif row in edges:
                glyph, style = "╌", "dim"
            else:
                style = ""
        if out and out[-1][1] == style:
            out[-1] = (out[-1][0] + glyph, style)
        else:
            out.append((glyph, style))
    return out


def _axis(row: int, rows: int, on: Scale, chart: Chart, at_last: int, last: Candle,
          decimals: int) -> Span:  # fmt: skip
    """A price beside some of the rows: the last one, the profile's, and every fifth."""
    if row == at_last:
        return (f" ◂{price(last.close, decimals):>{AXIS - 2}}", "bold")
    for level, name in ((chart.poc, "poc"), (chart.vah, "vah"), (chart.val, "val")):
        if level and on.row(level) == row:
            return (
                f" {name}{price(level, decimals):>{AXIS - 4}}",
                "warn" if name == "poc" else "dim",
            )
    if row % 5 == 0 or row == rows - 1:
        return (f"  {price(on.price(row), decimals):>{AXIS - 2}}", "dim")
    return ("", "dim")


def _alerts(chart: Chart, candles: tuple[Candle, ...]) -> list[Span]:
    """A glyph below each bar that something was alerted of."""
    sides: dict[int, int] = {}
    span = chart.minutes * 60
    first = candles[0].start_s
    places = {(c.start_s - first) // span: at for at, c in enumerate(candles)}
    for mark in chart.marks:
        at = places.get((mark.at_s - first) // span)
        if at is not None:
            sides[at] = mark.side
    out: list[Span] = []
    for at in range(len(candles)):
        side = sides.get(at)
        glyph = " " if side is None else "▲" if side > 0 else "▼" if side < 0 else "◆"
        out.append((glyph, "up" if side == 1 else "down" if side == -1 else "accent"))
    return out


def _volume(candles: tuple[Candle, ...]) -> list[Line]:
    most = max(c.volume for c in candles) or 1
    lines: list[Line] = []
    for row in range(VOLUME_ROWS):
        floor = (VOLUME_ROWS - 1 - row) * 8
        text = "".join(
            _EIGHTHS[min(max(round(c.volume / most * VOLUME_ROWS * 8) - floor, 0), 8)]
            for c in candles
        )
        note = f"  {compact(most):>{AXIS - 2}}" if row == 0 else ""
        lines.append(((text, "bid-bar"), (note, "dim")))
    return lines


def _times(candles: tuple[Candle, ...]) -> Line:
    """A time below some of the bars, its first digit below its bar."""
    text = [" "] * (len(candles) + AXIS)
    free = 0
    for at, candle in enumerate(candles):
        if at >= free and candle.start_s // 60 % 5 == 0 and at + 5 <= len(text):
            text[at : at + 5] = clock_minute(candle.start_s)
            free = at + LABEL_EVERY
    return (("".join(text).rstrip(), "dim"),)
