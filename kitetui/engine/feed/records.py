"""Input records: everything the engine ever takes in, in one order."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import msgspec


class Kind(IntEnum):
    """What a record's payload holds."""

    FRAME = 1
    """A binary WebSocket frame, as received."""
    TEXT = 2
    """A text WebSocket frame, UTF-8."""
    LINK = 3
    """A connection event: JSON of `LinkEvent`."""
    TIMER = 4
    """Session time, i64 little endian, ns since the epoch."""
    COMMAND = 5
    """An operator's command: JSON, tagged by type (see `engine.commands`)."""
    INSTRUMENTS = 6
    """The instrument table: gzipped CSV in Kite's columns."""
    SUBSCRIBE = 7
    """The tokens asked for, in row order: JSON of `Subscribed`."""
    HISTORY = 8
    """A REST answer with minute candles: MessagePack of `HistoryAnswer`."""
    CALIBRATION = 9
    """The hash of the tables frozen at session start: ASCII."""
    REMEMBERED = 10
    """What the store of past sessions told: MessagePack of `Remembered`."""
    NEWS = 11
    """Headlines: JSON, a list of `news.Headline`."""
    CONDITION = 12
    """What the engine's health has come to: JSON, a list of `alerts.conditions.Condition`."""


class LinkEvent(msgspec.Struct, frozen=True):
    """A change in a connection's state; it serves `rows` tokens of the newest subscription, from
    place `first_row` on."""

    connection: int
    state: str
    reason: str = ""
    first_row: int = 0
    rows: int = 0


class Subscribed(msgspec.Struct, frozen=True):
    """Tokens in row order and the mode asked for; `others`: the modes of those in another."""

    tokens: list[int]
    mode: str
    others: dict[int, str] = {}


class HistoryAnswer(msgspec.Struct, frozen=True):
    """Minute candles of one instrument, oldest first.

    `columns` is i64 (7, k), native order: minute since the epoch, open, high, low, close (raw),
    volume, open interest. `gap`: the first and the last minute of a stretch that ticks did not
    show, where that is why it was asked for.
    """

    token: int
    columns: bytes
    gap: tuple[int, int] | None = None


class PastLevels(msgspec.Struct, frozen=True):
    """What a past session of one instrument leaves behind: its day, and prices in rupees.

    POC and value area are NaN where it had no profile.
    """

    token: int
    day: int
    poc: float
    vah: float
    val: float
    high: float
    low: float
    close: float


class PastFirings(msgspec.Struct, frozen=True):
    """Past firings of one pattern, timeframe and asset class, oldest first.

    Attributes:
        scores: of all; resolved: of those whose outcome is known, and whether each hit.
    """

    pattern: str
    timeframe: str
    asset_class: str
    scores: list[float]
    resolved: list[float]
    hit: list[bool]


class Remembered(msgspec.Struct, frozen=True):
    """What past sessions left: levels of each instrument's last one, daily volatilities by
    underlying, oldest first, and what the patterns did.
    """

    levels: list[PastLevels]
    volatility: dict[str, list[float]]
    firings: list[PastFirings] = []


class Place(NamedTuple):
    """Where a batch lies in a journal; `number` is its own, or the last of those packed into it."""

    path: Path
    offset: int
    number: int = -1


class Kept:
    """What a journal has of a batch, also for those who no longer have the batch.

    Attributes:
        place: where it lies; None where no journal has it.
        awaited: a journal holds it until the disk takes it: it will have a place.
    """

    __slots__ = ("awaited", "place")

    def __init__(self, place: Place | None = None) -> None:
        self.place = place
        self.awaited = False


class RecordBatch:
    """Records in arrival order, as four parallel columns.

    Attributes:
        kind: `Kind` values.
        recv_ns: receive times, ns since the epoch (UTC).
        connection: index of the connection a frame came over; 0 otherwise.
        payload: the bytes of each record.
        kept: what a journal has of it.
    """

    __slots__ = ("connection", "kept", "kind", "payload", "recv_ns")

    def __init__(self) -> None:
        self.kind: list[int] = []
        self.recv_ns: list[int] = []
        self.connection: list[int] = []
        self.payload: list[bytes] = []
        self.kept = Kept()

    def __len__(self) -> int:
        return len(self.kind)

    def append(self, kind: int, recv_ns: int, payload: bytes, connection: int = 0) -> None:
        """Take one record."""
        self.kind.append(kind)
        self.recv_ns.append(recv_ns)
        self.connection.append(connection)
        self.payload.append(payload)

    def frames_from(self, at: int) -> int:
        """Where the run of frames that begins at a record ends."""
        stop = at
        while stop < len(self.kind) and self.kind[stop] == Kind.FRAME:
            stop += 1
        return stop

    def clear(self) -> None:
        """Forget all records."""
        for column in (self.kind, self.recv_ns, self.connection, self.payload):
            column.clear()

    def part(self, start: int, stop: int) -> RecordBatch:
        """Records [start, stop) as a batch of their own."""
        out = RecordBatch()
        out.kind = self.kind[start:stop]
        out.recv_ns = self.recv_ns[start:stop]
        out.connection = self.connection[start:stop]
        out.payload = self.payload[start:stop]
        return out

    def extend(self, other: RecordBatch) -> None:
        """Take all records of another batch."""
        self.kind.extend(other.kind)
        self.recv_ns.extend(other.recv_ns)
        self.connection.extend(other.connection)
        self.payload.extend(other.payload)
