"""`kitetui import`: recorded ticks of any shape to a journal of true Kite frames."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import orjson

from kitetui.cli.options import EXIT_CONFIG, fail
from kitetui.engine.arrow import pa, pacsv, pq
from kitetui.engine.calendar import DAY_S, IST_OFFSET_S
from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, I64, INDEX_FULL, QUOTE, TickBatch
from kitetui.engine.feed.records import Kind, RecordBatch, Subscribed
from kitetui.engine.feed.tick_message import ORDERS_BUG
from kitetui.engine.feed.wire import DEFAULT_DIVISOR, DIVISORS, INDEX_SEGMENT
from kitetui.engine.market.instruments import (
    Instrument,
    InstrumentError,
    by_symbol,
    read_table,
    unlisted,
    write_table,
)
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.settings import JournalSettings, Settings

NS = 1_000_000_000
FRAME_NS = 250_000_000
"""Packets that arrived within this time share a frame, one packet an instrument."""
FRAMES_A_BATCH = 64
CLOCK_QUANTILE = 0.999
SUFFIXES = (".parquet", ".csv", ".csv.gz", ".jsonl", ".json")
U32 = 1 << 32
FAR_NS = 7_258_118_400 * NS
"""The year 2200: what lies beyond is no time."""
_UNITS = ((1e11, NS), (1e14, 1_000_000), (1e17, 1_000))
"""Epoch numbers below a limit, and the ns in one: seconds, milliseconds, microseconds."""


class Part(msgspec.Struct):
    """The rows of one file, oldest first: packets, receive and trade times in ns (0: unknown).

    `repaired` counts quantities that the file calls unknown.
    """

    ticks: TickBatch
    recv_ns: I64
    ltt_ns: I64
    repaired: int


class BadInput(Exception):
    """A file that cannot become packets; names the file, the column, what was found."""


def import_ticks(source: Path, target: Path, instruments: Path | None, settings: Settings) -> int:
    """Write the journal; the exit code."""
    try:
        files = _files(source)
        table = _table(source, instruments)
        with _progress(files) as bar:
            whole = _joined([_read(path, table, settings.fields) for path in bar])
        ticks, recv_ns = whole.ticks, whole.recv_ns
        offset_s = _clock_offset_s(whole)
        missing = (ticks.exch_s == 0) & (ticks.length >= INDEX_FULL) & (ticks.length != QUOTE)
        ticks.exch_s[missing] = (recv_ns[missing] + int(offset_s * NS)) // NS
        chosen = [table.get(t) or unlisted(t) for t in dict.fromkeys(ticks.token.tolist())]
        frames = _write(target, ticks, recv_ns, chosen, settings.journal)
    except (BadInput, InstrumentError) as error:
        fail(EXIT_CONFIG, str(error))
    except FileExistsError:
        fail(EXIT_CONFIG, f"{target}: exists already; choose another name")
    except OSError as error:
        fail(EXIT_CONFIG, f"{error.filename or target}: {error.strerror}")
    click.echo(
        json.dumps({"files": len(files), "packets": len(ticks), "frames": frames,
                    "instruments": len(chosen), "clock_offset_s": offset_s,
                "unknown_quantities": whole.repaired,
                    "journal": str(target)})
    )  # fmt: skip
    return 0


def _files(source: Path) -> list[Path]:
    if source.is_dir():
        found = sorted(
            p for p in source.iterdir()
            if p.name.endswith(SUFFIXES) and p.name != "instruments.csv"
        )  # fmt: skip
        if not found:
            raise BadInput(f"{source}: holds no {', '.join(SUFFIXES)} files")
        return found
    if not source.exists():
        raise BadInput(f"{source}: no such file or folder")
    return [source]


def _progress(files: list[Path]) -> Any:
    return click.progressbar(files, label="reading", file=sys.stderr,
                             hidden=not sys.stderr.isatty())  # fmt: skip


def _table(source: Path, instruments: Path | None) -> dict[int, Instrument]:
    folder = source if source.is_dir() else source.parent
    path = instruments or folder / "instruments.csv"
    if not path.exists():
        if instruments is not None:
            raise BadInput(f"{path}: no such file")
        return {}
    return read_table(path.read_bytes())


def _read(path: Path, table: Mapping[int, Instrument], fields: Mapping[str, Sequence[str]]) -> Part:
    try:
        if path.name.endswith(".parquet"):
            data = pq.read_table(path)
        elif ".csv" in path.name:
            data = pacsv.read_csv(path)
        else:
            data = _json_lines(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read: {str(error).splitlines()[0][:160]}") from None
    return _Columns(path, data, table, fields).packets()


def _json_lines(path: Path) -> Any:
    """One object a line. Times stay texts: Arrow's own reader would drop their offset."""
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise BadInput(f"{path}, line {number}: not JSON: {error}") from None
            if not isinstance(row, dict):
                raise BadInput(f"{path}, line {number}: expected an object")
            rows.append(row)
    return pa.Table.from_pylist(rows)


class _Columns:
    """The columns of one file, found by the aliases of fields.yaml."""

    def __init__(self, path: Path, data: Any, table: Mapping[int, Instrument],
                 fields: Mapping[str, Sequence[str]]) -> None:  # fmt: skip
        self._path = path
        self._data = data
        self._names = set(data.column_names)
        self._fields = fields
        self._by_symbol = by_symbol(table)
        self.repaired = 0

    def packets(self) -> Part:
        """All rows, sorted by receive time."""
        n = self._data.num_rows
        out = TickBatch(n)
        recv_ns = self._times("received")
        if recv_ns is None:
            raise BadInput(
                f"{self._path}: has no receive time; expected one of "
                f"{', '.join(self._fields['received'])}; "
                f"found {', '.join(sorted(self._names))[:200]}"
            )
        out.token[:] = self._tokens(n)
        divisor = np.array([DIVISORS.get(t & 0xFF, DEFAULT_DIVISOR) for t in out.token.tolist()])
        if self._find("last_price") is None:
            raise BadInput(
                f"{self._path}: has no price; expected one of "
                f"{', '.join(self._fields['last_price'])}"
            )
        for name, column in (
            ("last_price", out.ltp), ("average_traded_price", out.atp), ("open", out.open),
            ("high", out.high), ("low", out.low), ("close", out.close),
        ):  # fmt: skip
            self._fill(name, column, divisor)
        for name, column in (
            ("last_traded_quantity", out.ltq), ("volume_traded", out.volume),
            ("total_buy_quantity", out.tbq), ("total_sell_quantity", out.tsq), ("oi", out.oi),
            ("oi_day_high", out.oi_day_high), ("oi_day_low", out.oi_day_low),
        ):  # fmt: skip
            self._fill(name, column, 1)
        traded, stamped = self._times("last_trade_time"), self._times("exchange_timestamp")
        ltt_ns = np.zeros(n, np.int64) if traded is None else traded
        out.ltt_s[:] = ltt_ns // NS
        if stamped is not None:
            out.exch_s[:] = stamped // NS
        deep = self._depth(out, divisor)
        index = (out.token & 0xFF) == INDEX_SEGMENT
        out.length[:] = np.where(index, INDEX_FULL, FULL if deep else QUOTE)
        order = np.argsort(recv_ns, kind="stable")
        out, recv_ns = out.take(order), recv_ns[order]
        _open_interest_range(out, recv_ns)
        return Part(out, recv_ns, ltt_ns[order], self.repaired)

    def _find(self, field: str, level: int = 0) -> str | None:
        for alias in self._fields.get(field, ()):
            name = alias.format(n=level)
            if name in self._names:
                return name
        return None

    def _values(self, name: str) -> Any:
        column = self._data.column(name)
        try:
            return column.to_numpy(zero_copy_only=False).astype(np.float64)
        except (TypeError, ValueError):
            raise BadInput(
                f"{self._path}: column {name}: expected numbers, found {column.type}"
            ) from None

    def _fill(self, field: str, column: I64, factor: Any, level: int = 0) -> bool:
        name = self._find(field, level)
        if name is None:
            return False
        values = np.nan_to_num(self._values(name)) * factor
        if isinstance(factor, int):
            absent = values < 0  # feeds write -1 for a quantity that they do not know
            self.repaired += int(absent.sum())
            values[absent] = 0
        if len(values) and (values.min() < 0 or values.max() >= U32):
            raise BadInput(
                f"{self._path}: column {name}: a value does not fit 32 bits "
                f"without a sign: {values.min():g} to {values.max():g}"
            )
        column[:] = np.rint(values)
        return True

    def _times(self, field: str) -> I64 | None:
        """A time column as ns since the epoch, 0 where a line has none.

        Numbers are seconds, ms, us or ns by their size; bare texts are Indian time.
        """
        name = self._find(field)
        if name is None:
            return None
        column = self._data.column(name)
        times = self._read_times(name, column)
        none = (times <= 0) | (times >= FAR_NS)
        if field == "received" and none.any():
            row = int(np.flatnonzero(none)[0])
            raise BadInput(
                f"{self._path}: column {name}, row {row + 1}: not a time: {column[row].as_py()!r}"
            )
        return np.where(none, 0, times)

    def _read_times(self, name: str, column: Any) -> I64:
        kind = column.type
        if pa.types.is_timestamp(kind):
            shift = 0 if kind.tz else IST_OFFSET_S * NS
            try:
                told = column.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
            except pa.ArrowInvalid as error:
                raise BadInput(f"{self._path}: column {name}: {str(error)[:160]}") from None
            return np.asarray(told.fill_null(0).to_numpy() - shift)
        if pa.types.is_string(kind):
            try:
                texts = [(t or "NaT").replace("T", " ").replace("Na ", "NaT")
                         for t in column.to_pylist()]  # fmt: skip
                aware = [re.search(r"([+-])(\d\d):?(\d\d)$", t[19:]) for t in texts]
                bare = np.array([re.split(r"[+-]\d\d:?\d\d$|Z$", t)[0] for t in texts],
                                "datetime64[ns]").astype(np.int64)  # fmt: skip
            except ValueError:
                raise BadInput(
                    f"{self._path}: column {name}: not a time: {column[0].as_py()!r}"
                ) from None
            offset_s = np.array([
                (1 if m[1] == "+" else -1) * (int(m[2]) * 3600 + int(m[3]) * 60) if m
                else 0 if t.endswith("Z") else IST_OFFSET_S
                for m, t in zip(aware, texts, strict=True)
            ], np.int64)  # fmt: skip
            return np.where(bare > 0, bare - offset_s * NS, 0)
        values = np.nan_to_num(self._values(name))
        size = float(np.median(values[values > 0])) if (values > 0).any() else 0.0
        scale = next((scale for limit, scale in _UNITS if size < limit), 1)
        return np.asarray(np.where(values * scale < FAR_NS, values * scale, 0).astype(np.int64))

    def _tokens(self, n: int) -> I64:
        name = self._find("instrument_token")
        if name is not None:
            return np.asarray(self._values(name).astype(np.int64))
        name = self._find("tradingsymbol")
        if name is not None:
            symbols = [str(s) for s in self._data.column(name).to_pylist()]
            known = {s: self._token(s) for s in dict.fromkeys(symbols)}
            return np.array([known[s] for s in symbols], np.int64)
        stem = self._path.name.split(".")[0]
        return np.full(n, self._token(re.split(r"__|^\d{8}_", stem)[-1]), np.int64)

    def _token(self, symbol: str) -> int:
        found = self._by_symbol.get(symbol) or self._by_symbol.get(symbol.replace("_", " "))
        if found is None:
            raise BadInput(
                f"{self._path}: the instrument table has no {symbol!r}; add it to "
                "instruments.csv beside the file, or give --instruments CSV"
            )
        return found.token

    def _depth(self, out: TickBatch, divisor: I64) -> bool:
        found = False
        for level in range(5):
            for side, offset in (("bid", 0), ("ask", 5)):
                at = out.depth[:, offset + level]
                found |= self._fill(f"{side}_price", at[:, 1], divisor, level + 1)
                self._fill(f"{side}_quantity", at[:, 0], 1, level + 1)
                if self._fill(f"{side}_orders", at[:, 2], 1, level + 1):
                    wide = (at[:, 2] >= ORDERS_BUG) & (at[:, 2] % ORDERS_BUG == 0)
                    at[wide, 2] >>= 16
                else:
                    at[:, 2] = at[:, 0] > 0  # a level that holds a quantity has an order
        return found


def _open_interest_range(ticks: TickBatch, recv_ns: I64) -> None:
    """Kite's packets carry the day's highest and lowest open interest of their instrument."""
    if not ticks.oi.any() or ticks.oi_day_high.any():
        return
    day = (recv_ns // NS + IST_OFFSET_S) // DAY_S
    groups = np.unique(np.stack([ticks.token, day]), axis=1, return_inverse=True)[1].ravel()
    order = np.argsort(groups, kind="stable")
    for at in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        ticks.oi_day_high[at] = np.maximum.accumulate(ticks.oi[at])
        ticks.oi_day_low[at] = np.minimum.accumulate(ticks.oi[at])


def _joined(parts: list[Part]) -> Part:
    """All files in one order of time."""
    total = sum(len(part.ticks) for part in parts)
    if not total:
        raise BadInput("no rows were found")
    out = TickBatch(total)
    recv_ns = np.concatenate([part.recv_ns for part in parts])
    order = np.argsort(recv_ns, kind="stable")
    out.cols = np.concatenate([part.ticks.cols for part in parts], axis=1)[:, order]
    out.depth = np.concatenate([part.ticks.depth for part in parts])[order]
    out.length = np.concatenate([part.ticks.length for part in parts])[order]
    ltt_ns = np.concatenate([part.ltt_ns for part in parts])[order]
    return Part(out, recv_ns[order], ltt_ns, sum(part.repaired for part in parts))


def _clock_offset_s(part: Part) -> float:
    """How far the receiver's clock lies behind the exchange's, in tenths of a second.

    A trade cannot be later than the packet that tells of it: the offset is what 99.9 % of the
    trades need for that.
    """
    traded = part.ltt_ns > 0
    if not traded.any():
        return 0.0
    ahead_ns = (part.ltt_ns - part.recv_ns)[traded]
    return max(round(float(np.quantile(ahead_ns, CLOCK_QUANTILE)) / NS, 1), 0.0)


def _write(target: Path, ticks: TickBatch, recv_ns: I64, chosen: list[Instrument],
           settings: JournalSettings) -> int:  # fmt: skip
    """The journal: table, subscription, then frames; how many."""
    journal = JournalWriter(target, settings)
    packets = wire.encode_packets(ticks)
    tokens = ticks.token.tolist()
    times = recv_ns.tolist()
    batch = RecordBatch()
    batch.append(Kind.INSTRUMENTS, times[0], write_table(chosen))
    asked = Subscribed([i.token for i in chosen], "full")
    batch.append(Kind.SUBSCRIBE, times[0], json.dumps(
        {"tokens": asked.tokens, "mode": asked.mode}).encode())  # fmt: skip
    frames = 0
    at = 0
    while at < len(packets):
        stop, seen = at, set()
        while (
            stop < len(packets) and times[stop] - times[at] < FRAME_NS and tokens[stop] not in seen
        ):
            seen.add(tokens[stop])
            stop += 1
        batch.append(Kind.FRAME, times[stop - 1], wire.encode_frame(packets[at:stop]))
        frames += 1
        at = stop
        if len(batch) >= FRAMES_A_BATCH:
            journal.write(batch, 0)
            batch.clear()
    journal.write(batch, 0)
    journal.close()
    if journal.failed:
        raise BadInput(f"{target}: {journal.failed}")
    return frames
