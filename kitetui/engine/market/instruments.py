"""Instruments: the exchange's table, the choice of a universe, and tokens as row numbers."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec
import numpy as np

from kitetui.engine.calendar import SEGMENTS
from kitetui.engine.feed.batch import I32, I64
from kitetui.engine.feed.wire import DEFAULT_DIVISOR, DIVISORS, INDEX_SEGMENT
from kitetui.settings import UniverseSettings

REQUIRED = ("instrument_token", "tradingsymbol", "exchange")
CSV_MAX_BYTES = 64 << 20
SYMBOL_MAX = 64
FACT_MAX = 1e9
"""No strike, tick, lot or price is larger."""


class InstrumentError(Exception):
    """An instrument table that cannot be used; says which column or line."""


ASSET_CLASSES = ("equity", "futures", "options", "index", "currency", "commodity")


class Instrument(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the exchange's table.

    Attributes:
        tick_size, strike: in rupees; 0 where the table has none.
        hours: the segment class of `calendar.SEGMENTS`.
    """

    token: int
    tradingsymbol: str
    exchange: str
    name: str = ""
    expiry: str = ""
    strike: float = 0.0
    tick_size: float = 0.0
    lot_size: int = 0
    kind: str = ""
    segment: str = ""
    last_price: float = 0.0
    hours: str = "equity"

    @property
    def symbol(self) -> str:
        """The trading symbol where NSE or NFO has it, otherwise EXCHANGE:symbol."""
        if self.exchange in ("NSE", "NFO"):
            return self.tradingsymbol
        return f"{self.exchange}:{self.tradingsymbol}"

    @property
    def is_index(self) -> bool:
        """Whether it cannot be traded and has no volume."""
        return self.token & 0xFF == INDEX_SEGMENT

    @property
    def asset_class(self) -> str:
        """One of `ASSET_CLASSES`."""
        if self.is_index:
            return "index"
        if self.exchange in ("CDS", "BCD"):
            return "currency"
        if self.exchange in ("MCX", "NCO"):
            return "commodity"
        return {"FUT": "futures", "CE": "options", "PE": "options"}.get(self.kind, "equity")


def read_table(data: bytes) -> dict[int, Instrument]:
    """The instruments of a CSV dump in Kite's columns, gzipped or not, by token.

    A line that cannot be read is left out.

    Raises:
        InstrumentError: not CSV, or columns missing.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            with gzip.open(io.BytesIO(data)) as source:
                data = source.read(CSV_MAX_BYTES + 1)
        except (OSError, EOFError, zlib.error):
            raise InstrumentError(
                "the instrument dump is cut off or not gzip; fetch it again"
            ) from None
    if len(data) > CSV_MAX_BYTES:
        raise InstrumentError(f"the instrument dump is larger than {CSV_MAX_BYTES} bytes")
    reader = csv.DictReader(io.StringIO(data.decode("utf-8", "replace"), newline=""))
    try:
        missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
    except csv.Error as error:
        raise InstrumentError(f"the instrument table is not CSV: {error}") from None
    if missing:
        raise InstrumentError(
            f"the instrument table lacks {', '.join(missing)}; "
            f"found {', '.join(reader.fieldnames or ['nothing'])[:200]}"
        )
    lines = []
    underlying = set()
    try:
        for line in reader:
            found = _instrument(line)
            if found is not None:
                lines.append(found)
                if found.exchange == "NFO":
                    underlying.add(found.name)
    except csv.Error as error:
        raise InstrumentError(
            f"the instrument table is not CSV, line {reader.line_num}: {error}"
        ) from None
    return {line.token: _with_hours(line, underlying) for line in lines}


def by_symbol(table: Mapping[int, Instrument]) -> dict[str, Instrument]:
    """Instruments by their symbol; a bare trading symbol also finds what only others list."""
    out = {instrument.symbol: instrument for instrument in table.values()}
    for instrument in table.values():
        out.setdefault(instrument.tradingsymbol, instrument)
    return out


def _instrument(line: Mapping[str, str | None]) -> Instrument | None:
    try:
        token = int(line["instrument_token"] or "")
        if not 0 < token < 1 << 32:
            return None
        return Instrument(
            token=token,
            tradingsymbol=(line["tradingsymbol"] or "")[:SYMBOL_MAX],
            exchange=line["exchange"] or "",
            name=(line.get("name") or "")[:SYMBOL_MAX],
            expiry=line.get("expiry") or "",
            strike=_fact(line.get("strike")),
            tick_size=_fact(line.get("tick_size")),
            lot_size=int(_fact(line.get("lot_size"))),
            kind=line.get("instrument_type") or "",
            segment=line.get("segment") or "",
            last_price=_fact(line.get("last_price")),
            hours=line.get("hours") or "",
        )
    except (ValueError, OverflowError):
        return None


def _fact(text: str | None) -> float:
    """A number of the table; 0, which stands for unknown, where it is none that can be."""
    number = float(text or 0)
    return number if 0 <= number <= FACT_MAX else 0.0


def _with_hours(line: Instrument, underlying: set[str]) -> Instrument:
    if line.hours in SEGMENTS:
        return line
    if line.is_index:
        hours = "index"
    elif line.exchange in ("NFO", "BFO"):
        hours = "equity_derivatives"
    elif line.exchange in ("CDS", "BCD"):
        hours = "currency"
    elif line.exchange in ("MCX", "NCO"):
        hours = "commodity"
    else:
        hours = "equity_fno" if line.tradingsymbol in underlying else "equity"
    return msgspec.structs.replace(line, hours=hours)


COLUMNS = ("instrument_token", "exchange_token", "tradingsymbol", "name", "last_price", "expiry",
           "strike", "tick_size", "lot_size", "instrument_type", "segment", "exchange",
           "hours")  # fmt: skip


def write_table(instruments: Iterable[Instrument]) -> bytes:
    """The instruments as gzipped CSV in Kite's columns, with their hours added."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for i in instruments:
        writer.writerow((i.token, i.token >> 8, i.tradingsymbol, i.name, i.last_price, i.expiry,
                         i.strike, i.tick_size, i.lot_size, i.kind, i.segment, i.exchange,
                         i.hours))  # fmt: skip
    return gzip.compress(out.getvalue().encode(), mtime=0)


def choose(table: Mapping[int, Instrument], universe: UniverseSettings, limit: int) -> list[int]:
    """The tokens of a universe, focus first, without repetition.

    Options are taken around the money: the strike nearest the name's future, else its index's
    last price, else the middle of the listed strikes.
    """
    by_symbol = {i.symbol: i for i in table.values()}
    wanted: list[Instrument] = [by_symbol[s] for s in universe.focus if s in by_symbol]
    if universe.indices == ["*"]:
        wanted += [i for i in table.values() if i.is_index]
    else:
        wanted += [by_symbol[s] for s in universe.indices if s in by_symbol]
    if universe.stocks == ["*"]:
        wanted += [i for i in table.values() if i.asset_class == "equity"]
    else:
        wanted += [by_symbol[s] for s in universe.stocks if s in by_symbol]
    derivatives: dict[str, list[Instrument]] = {}
    for i in table.values():
        if i.kind in ("FUT", "CE", "PE") and i.exchange in ("NFO", "BFO"):
            derivatives.setdefault(i.name, []).append(i)
    names = sorted(derivatives)
    for name in names if universe.futures_of == ["*"] else universe.futures_of:
        futures = [i for i in derivatives.get(name, []) if i.kind == "FUT"]
        wanted += sorted(futures, key=lambda i: i.expiry)[:1]
    for name in names if universe.options_of == ["*"] else universe.options_of:
        wanted += _near_options(derivatives.get(name, []), universe.strikes, universe.expiries)
    return list(dict.fromkeys(i.token for i in wanted))[:limit]


def _near_options(chain: list[Instrument], strikes: int, expiries: int) -> list[Instrument]:
    options = [i for i in chain if i.kind in ("CE", "PE")]
    nearest = sorted({i.expiry for i in options})[:expiries]
    return [i for expiry in nearest for i in _around_money(chain, options, expiry, strikes)]


def _around_money(chain: list[Instrument], options: list[Instrument], expiry: str,
                  strikes: int) -> list[Instrument]:  # fmt: skip
    """Options of one expiry, by strike; all of them where `strikes` is 0."""
    near = [i for i in options if i.expiry == expiry]
    ladder = sorted({i.strike for i in near})
    if strikes:
        futures = sorted((i for i in chain if i.kind == "FUT"), key=lambda i: i.expiry)
        money = futures[0].last_price if futures else 0.0
        at = (
            min(range(len(ladder)), key=lambda n: abs(ladder[n] - money))
            if money
            else len(ladder) // 2
        )
        kept = set(ladder[max(at - strikes, 0) : at + strikes + 1])
        near = [i for i in near if i.strike in kept]
    return sorted(near, key=lambda i: (i.strike, i.kind))


_HASH = 0x9E3779B1
_GUESSES = 1 << 17
"""Places of a table that guesses a token's row: most are right, and a look tells which."""


class Rows:
    """Tokens as row numbers; every other array of the engine is indexed by row.

    Attributes:
        count: rows in use, at most `capacity`.
        token, divisor, hours: i64/i64/i32 (capacity,).
        tick: i64 (capacity,), raw price step; 0 where the table has none.
        asset_class: i64 (capacity,), place in `ASSET_CLASSES`.
        divisors: price divisor of each segment.
        instruments: what the table says of each row.
    """

    def __init__(self, capacity: int, divisors: Mapping[int, int] = DIVISORS) -> None:
        self.capacity = capacity
        self.count = 0
        self.token: I64 = np.zeros(capacity, np.int64)
        self.divisor: I64 = np.full(capacity, DEFAULT_DIVISOR, np.int64)
        self.hours: I32 = np.zeros(capacity, np.int32)
        self.tick: I64 = np.zeros(capacity, np.int64)
        self.asset_class: I64 = np.zeros(capacity, np.int64)
        self.instruments: list[Instrument] = []
        self.divisors = divisors
        self._sorted: I64 = np.zeros(0, np.int64)
        self._row_of: I32 = np.zeros(0, np.int32)
        self._guess: I32 = np.zeros(_GUESSES, np.int32)
        self.unknown_segments: set[int] = set()

    @property
    def segments(self) -> list[str]:
        """Those of `SEGMENTS` that are watched."""
        return [SEGMENTS[h] for h in np.unique(self.hours[: self.count]).tolist()]

    def add(self, instruments: Sequence[Instrument]) -> int:
        """Give rows to instruments not yet known; how many found no room."""
        refused = 0
        known = set(self.token[: self.count].tolist())
        for instrument in instruments:
            if instrument.token in known:
                continue
            if self.count == self.capacity:
                refused += 1
                continue
            known.add(instrument.token)
            segment = instrument.token & 0xFF
            if segment not in self.divisors:
                self.unknown_segments.add(segment)
            self.token[self.count] = instrument.token
            self.divisor[self.count] = self.divisors.get(segment, DEFAULT_DIVISOR)
            self.tick[self.count] = round(instrument.tick_size * self.divisor[self.count])
            self.hours[self.count] = SEGMENTS.index(instrument.hours)
            self.asset_class[self.count] = ASSET_CLASSES.index(instrument.asset_class)
            self.instruments.append(instrument)
            self.count += 1
        order = np.argsort(self.token[: self.count], kind="stable")
        self._sorted = self.token[: self.count][order]
        self._row_of = order.astype(np.int32)
        places = (self.token[: self.count] * _HASH >> 20) & (_GUESSES - 1)
        self._guess[places] = np.arange(self.count, dtype=np.int32)
        return refused

    def find(self, tokens: I64) -> I32:
        """Rows of tokens, -1 for unknown ones: i32 (n,)."""
        if not self.count:
            return np.full(len(tokens), -1, np.int32)
        rows: I32 = self._guess[(tokens * _HASH >> 20) & (_GUESSES - 1)]
        right = self.token[rows] == tokens
        if np.count_nonzero(right) == len(right):
            return rows
        odd = np.flatnonzero(~right)  # another token's place, or an unknown one
        at = np.searchsorted(self._sorted, tokens[odd])
        at[at == self.count] = 0
        rows[odd] = np.where(self._sorted[at] == tokens[odd], self._row_of[at], -1)
        return rows

    def admit(self, tokens: I64) -> I32:
        """Rows of tokens; unknown tokens get a spare row, shown by their number."""
        rows = self.find(tokens)
        if len(rows) and int(rows.min()) < 0:
            self.add([unlisted(t) for t in dict.fromkeys(tokens[rows < 0].tolist())])
            rows = self.find(tokens)
        return rows

    def price(self, row: int, raw: float) -> float:
        """A raw value of a row in rupees."""
        return float(raw) / float(self.divisor[row])


def unlisted(token: int) -> Instrument:
    """A stand-in for a token that no table names."""
    exchange = {1: "NSE", 2: "NFO", 3: "CDS", 4: "BSE", 5: "BFO", 6: "BCD", 7: "MCX", 9: "NSE",
                12: "NCO"}.get(token & 0xFF, "NSE")  # fmt: skip
    bare = Instrument(token=token, tradingsymbol=f"#{token}", exchange=exchange)
    return _with_hours(msgspec.structs.replace(bare, hours=""), set())
