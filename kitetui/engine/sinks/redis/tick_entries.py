"""Tick entries: what every tick, or every batch of them, leads to in streams and on channels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import I64, LENGTHS
from kitetui.engine.market.instruments import ASSET_CLASSES, Rows
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis.documents import NS_A_MS, Documents
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.outgoing import Bytes
from kitetui.engine.sinks.redis.packed import checksum, pack
from kitetui.engine.sinks.redis.resp import command, commands, number, template
from kitetui.engine.sinks.redis.text import (
    Piece,
    Text,
    choose,
    fixed,
    join,
    joined,
    numbers,
    strings,
)
from kitetui.redis_contract import KEYS, Profile
from kitetui.settings import RedisSettings

STREAMS: dict[Profile, tuple[str, ...]] = {
    "full": ("raw_stream", "processed_stream"),
    "lean": ("processed_stream",),
    "packed": ("packed_stream",),
    "alerts": (),
}
"""The streams that a profile writes every tick to."""
PACKED_TICK_BYTES = 210
_INDEX = ASSET_CLASSES.index("index")
_MODES = strings([wire.MODES.get(length, "").encode() for length in range(max(LENGTHS) + 1)])


class TickEntries:
    """Builds the commands of the tick streams for one profile.

    Attributes:
        rate: ticks a second at present; streams keep `caps.seconds` of it.
        producer, epoch: who writes, and since when; entries carry them with a rising `seq`.
    """

    def __init__(self, settings: RedisSettings, rows: Rows, names: Names, documents: Documents,
                 producer: str, epoch: int) -> None:  # fmt: skip
        self._settings = settings
        self._rows = rows
        self._documents = documents
        self._names = names
        self.producer = producer.encode()
        self.epoch = epoch
        self.rate = 0.0
        self.profile: Profile = settings.effective_profile

    @property
    def streams(self) -> tuple[str, ...]:
        """The tick streams of the profile, by their names in the contract."""
        return STREAMS[self.profile]

    def cap(self, stream: str) -> int:
        """Entries that a tick stream may hold now."""
        caps = self._settings.caps
        if stream == "packed_stream":
            return min(caps.packed, max(caps.bytes // KEYS[stream].entry_bytes, 100))
        wanted = max(caps.ticks, int(self.rate * caps.seconds))
        return min(wanted, max(caps.bytes // KEYS[stream].entry_bytes, 1_000))

    @property
    def reach(self) -> int:
        """Ticks that the streams hold at the most: older ones need not be written any more."""
        if self.profile == "packed":
            caps = self._settings.caps
            return max(caps.bytes // PACKED_TICK_BYTES, caps.ticks)
        return max((self.cap(stream) for stream in self.streams), default=0)

    def write(self, out: Bytes, shouts: Bytes | None, runs: Sequence[Run], seq: int,
              ids: tuple[I64, I64], stored: dict[str, int]) -> None:  # fmt: skip
        """The entries of runs of ticks, one after the other, and what is published of them.

        Every tick that was received is written, duplicates too: its flags tell them apart.

        Args:
            shouts: takes the messages; None where they would be stale.
            seq: number of the first tick; ids: of each entry, ms and seq.
            stored: numbers that are in a stream already, up to and including.
        """
        if self.profile == "packed":
            self._write_packed(out, shouts, list(runs), seq, ids, stored)
            return
        at = 0
        for run in runs:
            n = len(run.ticks)
            part = slice(at, at + n)
            self._write_run(out, shouts, run, np.arange(seq + at, seq + at + n),
                            (ids[0][part], ids[1][part]), stored)  # fmt: skip
            at += n

    def _write_run(self, out: Bytes, shouts: Bytes | None, run: Run, seqs: I64,
                   ids: tuple[I64, I64], stored: dict[str, int]) -> None:  # fmt: skip
        documents = self._documents.of(run)
        ms, at, seq = numbers([ids[0], ids[1], seqs])
        entry_id = join([ms, b"-", at])
        tail = (b"producer", self.producer, b"seq", seq)
        fields: dict[str, tuple[Piece, ...]] = {"processed_stream": (b"data", documents)}
        if self.profile == "full":
            fields["raw_stream"] = self._raw(run)
        entries = {
            stream: template(b"XADD", self._names.key(stream), b"MAXLEN", b"~",
                             number(self.cap(stream)), entry_id, *fields[stream], *tail)
            for stream in self.streams
        }  # fmt: skip
        missing = {stream: seqs > stored.get(stream, -1) for stream in self.streams}
        if all(mask.all() for mask in missing.values()):
            pieces = [piece for stream in self.streams for piece in entries[stream]]
            out.add(join(pieces), len(self.streams))
        else:
            for stream, mask in missing.items():
                out.add(join(entries[stream]).filter(mask))
        if shouts is not None:
            self._publish(shouts, run, documents)

    def _raw(self, run: Run) -> tuple[Piece, ...]:
        """The fields of raw entries."""
        ticks = run.ticks
        token, received = numbers([ticks.token, ticks.recv_ns // NS_A_MS])
        parts = []
        for kind in np.unique(ticks.length).tolist():
            places = np.flatnonzero(ticks.length == kind)
            parts.append((places, fixed(ticks.packets[places, :kind])))
        packets = joined(parts, len(ticks))
        mode = choose(_MODES, ticks.length.astype(np.int64))
        return (b"binary_data", packets, b"instrument_token", token, b"timestamp", received,
                b"mode", mode, b"source", b"kite")  # fmt: skip

    def _publish(self, shouts: Bytes, run: Run, documents: Text) -> None:
        """Messages of a run: to all, to its class, and to those of its index."""
        row = run.ticks.row.astype(np.int64)
        known = row >= 0
        asset = np.where(known, self._rows.asset_class[np.maximum(row, 0)], 0)
        pieces = template(b"PUBLISH", self._names.channel("ticks"), documents)
        if self.profile == "full":
            pieces += self._class_publish(asset, documents)
        shouts.add(join(pieces), 1 + (self.profile == "full"))
        self._publish_indices(shouts, run, documents)

    def _publish_indices(self, shouts: Bytes, run: Run, documents: Text | None = None) -> None:
        """The ticks of indices, each on its channel."""
        row = run.ticks.row.astype(np.int64)
        index = np.flatnonzero((row >= 0) & (self._rows.asset_class[np.maximum(row, 0)] == _INDEX))
        if not len(index):
            return
        if documents is None:
            told = self._documents.of(Run(run.ticks.take(index), run.increment[index]))
        else:
            told = choose(documents, index)
        channels = strings([self._index_channel(r) for r in row[index].tolist()])
        shouts.add(commands(b"PUBLISH", channels, told))

    def _class_publish(self, asset: I64, documents: Text) -> list[Piece]:
        names = strings([self._names.channel("asset_class", asset_class=name)
                         for name in ASSET_CLASSES])  # fmt: skip
        if (asset == asset[0]).all():
            channel: Piece = names[int(asset[0])].as_py()
        else:
            channel = choose(names, asset)
        return template(b"PUBLISH", channel, documents)

    def _index_channel(self, row: int) -> bytes:
        of = self._rows.instruments[row]
        return self._names.channel("index", exchange=of.exchange, symbol=of.tradingsymbol)

    def _write_packed(self, out: Bytes, shouts: Bytes | None, runs: list[Run], seq: int,
                      ids: tuple[I64, I64], stored: dict[str, int]) -> None:  # fmt: skip
        count = sum(len(run.ticks) for run in runs)
        if seq + count - 1 <= stored.get("packed_stream", -1):
            return
        data = pack(runs, seq, self.epoch, self._settings.compress)
        first, last = runs[0].ticks.recv_ns[0], runs[-1].ticks.recv_ns[-1]
        out.one(command(
            b"XADD", self._names.key("packed_stream"), b"MAXLEN", b"~",
            number(self.cap("packed_stream")), b"%d-%d" % (ids[0][0], ids[1][0]),
            b"data", data, b"producer", self.producer, b"epoch", number(self.epoch),
            b"partition", b"0", b"seq", number(seq), b"count", number(count),
            b"first_ms", number(int(first) // NS_A_MS), b"last_ms", number(int(last) // NS_A_MS),
            b"crc32", number(checksum(data)),
        ))  # fmt: skip
        if shouts is not None:
            shouts.one(command(b"PUBLISH", self._names.channel("packed"), data))
            for run in runs:
                self._publish_indices(shouts, run)
