"""`kitetui study`: every number of a bar file, so that a person can check it elsewhere."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from kitetui.cli.options import EXIT_CONFIG, fail
from kitetui.engine.alerts.scoreboard import Scoreboard
from kitetui.engine.calendar import ist
from kitetui.engine.feed.batch import F64, I64
from kitetui.engine.feed.wire import INDEX_SEGMENT
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.track_record import parameter_hash
from kitetui.engine.market.bars import CLOSE, HIGH, LOW, OPEN, VOLUME, ClosedBars
from kitetui.engine.market.day_levels import profile_of
from kitetui.engine.market.indicators import NAMES, realised_volatility
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    by_symbol,
    read_table,
)
from kitetui.engine.market.market import COMPOSITE_SESSIONS, Market
from kitetui.engine.market.profile import Levels, Profile, bin_size, levels, spread_bars
from kitetui.engine.market.structure import FairValueGaps, Swings, pools
from kitetui.engine.market.timeframe import (
    DAY,
    DEPTHS,
    RATIO_BARS,
    Z_BARS,
    Timeframe,
    timeframe_name,
)
from kitetui.places import private
from kitetui.settings import Settings
from kitetui.tools.bar_files import BadBars, BarFile, read_bar_file
from kitetui.tools.studied import DIVISOR, EXTRA, SWING_LENGTH, Session, Studied
from kitetui.tools.study_report import complain, print_newest, summary, write
from kitetui.tools.study_signals import Signals, print_board, write_board, write_signals

EQUITY_TOKEN, INDEX_TOKEN = 1 << 8 | 1, 1 << 8 | INDEX_SEGMENT
ROW = np.array([0])
SWINGS_KEPT = 1 << 16
GAPS_WATCHED = 512
"""Newest gaps that are watched for being filled; older ones stay as they are."""
OPENING_MINUTES = 15
POOL_SHARE = 5e-4
"""Swings within two ticks, or this share of the first one's level, make a pool."""
REALISED_BARS = 60


def study(files: Sequence[Path], out: Path | None, settings: Settings, *, table: Path | None,
          tick: float, hours: str, minutes: int | None, ends: bool) -> int:  # fmt: skip
    """Study files; the exit code."""
    digest = parameter_hash(settings.patterns)
    try:
        listed = _listed(table)
        paths = _files(files)
        found: list[Studied] = []
        names: dict[str, Path] = {}
        everything = Scoreboard()
        for at, path in enumerate(paths, 1):
            for file in read_bar_file(path, DIVISOR, minutes, ends):
                if file.name in names:
                    raise BadBars(f"{path}: {file.name} was told by {names[file.name]} already; "
                                  "results would overwrite")  # fmt: skip
                names[file.name] = path
                with _progress(f"{at}/{len(paths)} {file.name}", len(file.starts)) as progress:
                    found.append(study_file(file, settings, listed, tick, hours, progress.update))
                found[-1].board = found[-1].signals.board(everything, len(found))
        if out is not None:
            out.mkdir(mode=0o700, parents=True, exist_ok=True)
            for studied in found:
                write(studied, out)
                write_signals(studied.symbol, studied.signals, studied.board, digest, out)
            write_board("scoreboard", everything.lines(), digest, out)
            with open(out / "summary.json", "w", opener=private) as told:
                json.dump([summary(s) for s in found], told, indent=1)
    except (BadBars, InstrumentError) as error:
        fail(EXIT_CONFIG, str(error))
    except OSError as error:
        fail(EXIT_CONFIG, f"{error.filename or out}: {error.strerror or error}")
    for studied in found:
        complain(studied)
    print_newest(found)
    board = everything.lines()
    if board:
        of = found[0].symbol if len(found) == 1 else f"all {len(found)} series"
        print_board(board, of, digest)
    if out is not None:
        click.echo(f"written to {out}: indicators, swings, gaps, pools, levels, profile, signals, "
                   "scoreboard, summary")  # fmt: skip
    return 0


def _listed(table: Path | None) -> dict[str, Instrument]:
    if table is None:
        return {}
    if not table.exists():
        raise BadBars(f"{table}: no such file")
    return by_symbol(read_table(table.read_bytes()))


def _files(given: Sequence[Path]) -> list[Path]:
    """Files as they are, folders by what they hold."""
    out: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = [p for p in path.iterdir() if p.name.endswith((".csv", ".csv.gz", ".parquet"))]
            if not inside:
                raise BadBars(f"{path}: holds no .csv, .csv.gz or .parquet file")
            out += sorted(inside)
        elif path.exists():
            out.append(path)
        else:
            raise BadBars(f"{path}: no such file or folder")
    return out


def _progress(label: str, bars: int) -> Any:
    return click.progressbar(length=bars, label=label, file=sys.stderr,
                             hidden=not sys.stderr.isatty(), update_min_steps=500)  # fmt: skip


def study_file(file: BarFile, settings: Settings, listed: dict[str, Instrument], tick: float,
               hours: str, progress: Callable[[int], None]) -> Studied:  # fmt: skip
    """Put one file's bars through the engine's own market state, bar by bar.

    Args:
        progress: told of every bar.

    Raises:
        BadBars: bars of a length that is not kept, or none inside a session.
    """
    if file.minutes not in DEPTHS:
        known = ", ".join(timeframe_name(m) for m in DEPTHS)
        raise BadBars(f"{file.path}: bars of {file.minutes} minutes; known are {known}")
    known_as = listed.get(file.symbol)
    if known_as is not None:
        tick, hours = known_as.tick_size, known_as.hours
    instrument = Instrument(
        token=INDEX_TOKEN if hours == "index" else EQUITY_TOKEN, tradingsymbol=file.symbol,
        exchange=known_as.exchange if known_as else "NSE", tick_size=tick,
        lot_size=known_as.lot_size if known_as else 1, kind=known_as.kind if known_as else "EQ",
        hours=hours,
    )  # fmt: skip
    fine = {INDEX_TOKEN & 0xFF: DIVISOR, EQUITY_TOKEN & 0xFF: DIVISOR}
    feed = msgspec.structs.replace(settings.feed, divisors={**settings.feed.divisors, **fine})
    pipeline = Pipeline(msgspec.structs.replace(settings, feed=feed), 1)
    market = pipeline.market
    signals = Signals(market, instrument.asset_class, settings.outcomes)
    market.add_instruments([instrument])
    starts, bars, opened, outside = _inside(file, market)
    frame = market.frames[file.minutes]
    raw_tick = int(market.rows.tick[0])
    swings, gaps = Swings(1, SWING_LENGTH, SWINGS_KEPT), FairValueGaps(1, GAPS_WATCHED)
    past_gaps: list[list[int]] = []
    values = np.full((len(starts), len(NAMES) + len(EXTRA)), np.nan)
    for at, start in enumerate(starts.tolist()):
        closed = ClosedBars(start, ROW, bars[:, at : at + 1])
        signals.take(pipeline.take_bars(file.minutes, closed))
        values[at] = _values(frame, start, opened[at : at + 1], market)
        progress(1)
        _structure(swings, gaps, past_gaps, bars, at)
    pivots = [tuple(column) for column in np.stack(swings.last(0, SWINGS_KEPT)).T.tolist()]
    return Studied(
        file=file,
        symbol=file.name,
        tick=instrument.tick_size,
        starts=starts,
        bars=bars,
        values=values,
        swings=[(b, s, level) for b, s, level in pivots],
        gaps=past_gaps + gaps.last(0, GAPS_WATCHED).T.tolist(),
        pools=pools([(b, s, float(x)) for b, s, x in pivots], bars[HIGH].tolist(),
                    bars[LOW].tolist(), 2 * raw_tick, POOL_SHARE),
        sessions=_sessions(starts, bars, opened, raw_tick, file.minutes),
        composite=_composite(bars, opened, raw_tick),
        outside=outside,
        signals=signals,
    )  # fmt: skip


def _inside(file: BarFile, market: Market) -> tuple[I64, I64, I64, int]:
    """The bars inside sessions, and their sessions' open minutes; how many were not."""
    hours = [market.session_minutes(start, ROW) for start in file.starts.tolist()]
    opens, closes = (np.array([int(h[k][0]) for h in hours], np.int64) for k in (0, 1))
    if file.minutes == DAY:  # Kite dates a daily bar by its midnight
        file.starts = np.where((opens > 0) & (file.starts < opens), opens, file.starts)
    inside = (file.starts >= opens) & (file.starts < closes)
    if not inside.any():
        first = ist(float(file.starts[0] * 60))
        raise BadBars(
            f"{file.path}: no bar lies inside a session of the calendar; the first is of "
            f"{first:%Y-%m-%d %H:%M} (--hours and --ends say how times are meant)"
        )
    return file.starts[inside], file.values[:, inside], opens[inside], int((~inside).sum())


def _values(frame: Timeframe, start: int, opened: I64, market: Market) -> F64:
    out = np.full(len(NAMES) + len(EXTRA), np.nan)
    out[: len(NAMES)] = frame.indicators.values(ROW)[:, 0]
    bars = int(frame.history.count[0])
    if bars > RATIO_BARS:
        found = frame.volume_ratio(ROW, start, opened)
        out[len(NAMES)] = found.ratio[0]
        out[len(NAMES) + 1] = float(found.same_minute[0])
    if bars > Z_BARS and frame.history.depth > Z_BARS:
        out[len(NAMES) + 2] = frame.volume_z(ROW)[0]
    if bars > REALISED_BARS and frame.history.depth > REALISED_BARS:
        out[len(NAMES) + 3] = realised_volatility(
            frame.prices(CLOSE, ROW, REALISED_BARS + 1), _bars_a_year(frame, start, market)
        )[0]
    return out


def _bars_a_year(frame: Timeframe, start: int, market: Market) -> float:
    opens, closes = market.session_minutes(start, ROW)
    return 252.0 * max(int(closes[0] - opens[0]) / frame.minutes, 1.0)


def _structure(swings: Swings, gaps: FairValueGaps, past_gaps: list[list[int]], bars: I64,
               at: int) -> None:  # fmt: skip
    number = np.array([at])
    if at >= 3 * SWING_LENGTH - 1:
        window = slice(at - 2 * SWING_LENGTH + 1, at + 1)
        swings.advance(ROW, number, bars[HIGH, window][None], bars[LOW, window][None])
    if at >= 2:
        three = slice(at - 2, at + 1)
        oldest = gaps.last(0, GAPS_WATCHED)[:, 0].tolist() if gaps.count[0] else []
        found = gaps.advance(ROW, number, bars[OPEN, three][None], bars[HIGH, three][None],
                             bars[LOW, three][None], bars[CLOSE, three][None])  # fmt: skip
        if len(found) and gaps.count[0] > GAPS_WATCHED:
            past_gaps.append(oldest)


def _sessions(starts: I64, bars: I64, opened: I64, tick: int, minutes: int) -> list[Session]:
    out = []
    for day in np.unique(opened).tolist():
        of_day = opened == day
        own, prices = bars[:, of_day], bars[:, of_day] / DIVISOR
        opening = starts[of_day] < day + OPENING_MINUTES
        profile = profile_of(own, tick, DIVISOR) if tick and minutes < 1440 else None
        out.append(
            Session(
                date=f"{ist(day * 60):%Y-%m-%d}",
                open=prices[OPEN, 0],
                high=prices[HIGH].max(),
                low=prices[LOW].min(),
                close=prices[CLOSE, -1],
                volume=int(own[VOLUME].sum()),
                opening_high=prices[HIGH, opening].max() if opening.any() else math.nan,
                opening_low=prices[LOW, opening].min() if opening.any() else math.nan,
                profile=profile,
                levels=levels(profile) if profile else None,
            )
        )
    return out


def _composite(bars: I64, opened: I64, tick: int) -> Levels | None:
    """Levels of the last sessions together, in bins of the last one."""
    days = np.unique(opened)[-COMPOSITE_SESSIONS - 1 :]
    if not tick or not bars[VOLUME].any():
        return None
    size = int(bin_size(int(bars[CLOSE, opened == days[-1]][0]), tick))
    own = bars[:, opened >= days[0]]
    base, volume = spread_bars(own[LOW], own[HIGH], own[VOLUME], size)
    return levels(Profile(base * size / DIVISOR, size / DIVISOR, volume))
