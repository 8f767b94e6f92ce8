"""`kitetui export`: plays a journal through the engine's own pipeline into Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np

from kitetui.cli.options import EXIT_CONFIG, Asked, fail
from kitetui.engine.alerts.alert import Alert
from kitetui.engine.arrow import pa, pq
from kitetui.engine.feed.batch import COLUMNS
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.journal_reader import JournalError
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.market.bars import FIELDS, TURNOVER
from kitetui.settings import Settings

PRICES = {"ltp", "atp", "open", "high", "low", "close"}
ROWS = 10_000
ALERTS = "alerts.parquet"


def export_journals(journals: Sequence[Path], target: Path, asked: Asked) -> int:
    """Write ticks.parquet, bars.parquet and alerts.parquet; the exit code."""
    try:
        told = export(journals, target, asked.settings, pinned=asked.given)
    except JournalError as error:
        fail(EXIT_CONFIG, str(error))
    except OSError as error:
        fail(EXIT_CONFIG, f"{error.filename or target}: {error.strerror}")
    click.echo(json.dumps(told))
    return 0


def export(journals: Sequence[Path], target: Path, settings: Settings, *, ticks: bool = True,
           pinned: frozenset[str] = frozenset()) -> dict[str, Any]:  # fmt: skip
    """Play journals through the engine's pipeline into a folder; what came of it.

    Args:
        ticks: write those as well, which are most of it.
        pinned: settings that are given: what was recorded does not change them.

    Raises:
        JournalError: the only journal cannot be read.
        OSError: the folder cannot be written.
    """
    files = JournalFiles(journals)
    pipeline = Pipeline(settings, ROWS)
    pipeline.tuning.pinned = pinned
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("ticks.parquet", "bars.parquet", ALERTS):
        (target / name).unlink(missing_ok=True)  # of another run
    told, bars = _Table(target / "ticks.parquet"), _Table(target / "bars.parquet")
    alerts: dict[str, Alert] = {}
    for batch in files:
        derived = pipeline.apply(batch)
        alerts |= {alert.alert_id: alert for alert in (*derived.alerts, *derived.changed)}
        if ticks:
            told.add(_ticks(derived, pipeline))
        bars.add(_bars(derived, pipeline))
    told.close()
    bars.close()
    rows = [{**msgspec.to_builtins(a), "evidence": json.dumps(a.evidence)} for a in alerts.values()]
    if rows:
        pq.write_table(pa.Table.from_pylist(rows), target / ALERTS)
    return {"ticks": told.rows, "bars": bars.rows, "alerts": len(rows),
            "alert_hash": pipeline.desk.alert_hash, "unread_bytes": files.unread_bytes,
            "lost": files.lost()}  # fmt: skip


class _Table:
    """A Parquet file that grows batch by batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None
        self._held: list[dict[str, Any]] = []
        self._held_rows = 0
        self.rows = 0

    def add(self, parts: list[dict[str, Any]]) -> None:
        for part in parts:
            self._held.append(part)
            self._held_rows += len(part["symbol"])
        if self._held_rows >= 65_536:
            self._write()

    def close(self) -> None:
        self._write()
        if self._writer is not None:
            self._writer.close()

    def _write(self) -> None:
        if not self._held:
            return
        table = pa.table(
            {name: np.concatenate([np.asarray(p[name]) for p in self._held])
             for name in self._held[0]}
        )  # fmt: skip
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema, compression="zstd")
        self._writer.write_table(table)
        self.rows += table.num_rows
        self._held, self._held_rows = [], 0


def _symbols(pipeline: Pipeline, rows: Any) -> Any:
    names = [
        pipeline.market.rows.instruments[row].symbol if row >= 0 else "" for row in rows.tolist()
    ]
    return np.array(names, dtype=object)


def _ticks(derived: Derived, pipeline: Pipeline) -> list[dict[str, Any]]:
    out = []
    for run in derived.runs:
        ticks = run.ticks
        divisor = pipeline.market.rows.divisor[np.maximum(ticks.row, 0)]
        part: dict[str, Any] = {"symbol": _symbols(pipeline, ticks.row)}
        for name in COLUMNS:
            values = getattr(ticks, name)
            part[name] = values / divisor if name in PRICES else values
        part["increment"] = run.increment
        part["flags"] = ticks.flags
        out.append(part)
    return out


def _bars(derived: Derived, pipeline: Pipeline) -> list[dict[str, Any]]:
    out = []
    for timeframe, bars in derived.bars:
        divisor = pipeline.market.rows.divisor[bars.rows]
        part: dict[str, Any] = {
            "symbol": _symbols(pipeline, bars.rows),
            "timeframe": np.full(len(bars.rows), timeframe, dtype=object),
            "start_s": np.full(len(bars.rows), bars.start * 60),
        }
        for at, name in enumerate(FIELDS):
            rupees = at < 4 or at == TURNOVER
            part[name] = bars.values[at] / divisor if rupees else bars.values[at]
        out.append(part)
    return out
