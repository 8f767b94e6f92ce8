"""What journals lead to, and whether what stands in Redis agrees with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from kitetui.engine.feed import wire
from kitetui.engine.feed.journal_files import JournalFiles
from kitetui.engine.feed.records import Kind
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.track_record import TrackRecord
from kitetui.engine.market import bars as bar
from kitetui.engine.market.bars import ClosedBars
from kitetui.engine.sinks.redis.keys import Names
from kitetui.engine.sinks.redis.notices import LOGS, Notices, identity
from kitetui.redis_contract import KEYS
from kitetui.settings import Settings

CAPACITY = 1256
BAR_FIELDS = ((b"open", bar.OPEN), (b"high", bar.HIGH), (b"low", bar.LOW), (b"close", bar.CLOSE))


class Entries(Protocol):
    """A Redis database, as far as it is looked at."""

    def xrange(self, name: str) -> Any: ...


class Truth:
    """All journals of a folder, played once.

    Attributes:
        packets: how often each packet came in; announced: packets that frames spoke of.
        digest: of all records, with their times.
        entries: what is due in the streams of single entries: how often, by stream and identity.
        bars: closed minutes by symbol and minute.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        files = JournalFiles(folder.glob("*.arrows"))
        self.pipeline = Pipeline(settings, CAPACITY)
        self.packets: Counter[bytes] = Counter()
        self.announced = 0
        self.bars: dict[tuple[str, int], tuple[int, ...]] = {}
        self.mended: dict[tuple[str, int], tuple[int, ...]] = {}
        self.record = TrackRecord(self.pipeline, None)
        self.names = Names(settings.redis)
        self.notices = Notices(settings.redis, self.names, "")
        self.entries: Counter[tuple[str, bytes]] = Counter()
        self.acknowledged: set[str] = set()
        taken = blake2b(digest_size=8)
        for batch in files:
            for kind, at_ns, payload in zip(batch.kind, batch.recv_ns, batch.payload, strict=True):
                taken.update(b"%d %d " % (kind, at_ns) + payload)
            derived = self.pipeline.apply(batch)
            frames = [p for k, p in zip(batch.kind, batch.payload, strict=True) if k == Kind.FRAME]
            self._count(frames)
            self._tell(derived)
            self.acknowledged |= {
                t.alert_id for t in derived.transitions if t.reason == "acknowledged"
            }
            for name, bars in derived.bars:
                if name == "1m":
                    self._keep(self.bars, bars)
            for bars in derived.mended:
                self._keep(self.mended, bars)
        self.digest = taken.hexdigest()
        self.lost_batches = files.lost_batches

    def _count(self, frames: list[bytes]) -> None:
        self.announced += sum(int.from_bytes(f[:2], "big") for f in frames if len(f) > 1)
        ticks = wire.decode(frames).batch
        self.packets.update(
            row[:length].tobytes()
            for row, length in zip(ticks.packets, ticks.length.tolist(), strict=True)
        )

    def _tell(self, derived: Derived) -> None:
        """What a batch adds to the streams of single entries, by what tells entries apart."""
        self.record.take(derived)
        self.record.settle()
        notices = [self.notices.raised(alert, 0) for alert in derived.alerts]
        notices += [self.notices.outcome(outcome, 0) for outcome in derived.outcomes]
        notices += [self.notices.news(item, 0) for item in derived.news]
        notices += [self.notices.fired(told.entries, [], 0) for told in self.record.fresh]
        self.record.fresh.clear()
        for name, entry in chain.from_iterable(notice.entries for notice in notices):
            self.entries[name, identity(name, entry.fields)] += 1

    def _keep(self, kept: dict[tuple[str, int], tuple[int, ...]], bars: ClosedBars) -> None:
        for row, one in zip(bars.rows.tolist(), bars.values.T.tolist(), strict=True):
            symbol = self.pipeline.market.rows.instruments[row].symbol
            kept[symbol, bars.start] = tuple(one)

    def against_stream(self, client: Entries, *, whole: bool = True,
                       dropped: int = 0) -> Iterator[str]:  # fmt: skip
        """Every tick of the raw stream was journalled, each writer's once and in order.

        Args:
            whole: nobody emptied the server, so a writer's first entry is there as well.
            dropped: ticks of which the engine says that it could not write them.
        """
        newest: dict[bytes, int] = {}
        held: Counter[bytes] = Counter()
        for _, fields in client.xrange("ticks:raw:binary"):
            seq, producer = int(fields[b"seq"]), fields[b"producer"]
            before = newest.get(producer, -1 if whole else seq - 1)
            dropped -= max(seq - before - 1, 0)
            if seq <= before or dropped < 0:
                yield f"{producer.decode()}: {before} is followed by {seq}"
            newest[producer] = seq
            held[fields[b"binary_data"]] += 1
        for packet, count in held.items():
            if count > self.packets[packet]:
                yield (f"a packet stands {count} times in Redis and "
                       f"{self.packets[packet]} in the journal")  # fmt: skip

    def bars_in(self, client: Entries) -> int:
        """How many minutes stand there."""
        names = [i.symbol for i in self.pipeline.market.rows.instruments]
        return sum(1 for name in names for _ in client.xrange(f"ohlc:{name}:1m"))

    def against_bars(self, client: Entries) -> Iterator[str]:
        """Every bar in Redis is one that follows from the journal: as it closed, or as the
        exchange's history told it after a gap."""
        for row, instrument in enumerate(self.pipeline.market.rows.instruments):
            divisor = float(self.pipeline.market.rows.divisor[row])
            for entry_id, told in client.xrange(f"ohlc:{instrument.symbol}:1m"):
                minute = int(entry_id.split(b"-")[0]) // 60_000
                place = (instrument.symbol, minute)
                known = [kept[place] for kept in (self.bars, self.mended) if place in kept]
                if not any(_is(told, values, divisor) for values in known):
                    yield f"{instrument.symbol} {minute}: {told} is none of {known}"

    def against_logs(self, clients: Mapping[str, Entries]) -> Iterator[str]:
        """Alerts, outcomes, firings and headlines stand in Redis once each, and nothing else.

        Args:
            clients: by the number of their database.
        """
        for name in LOGS:
            key = self.names.key(name).decode()
            entries = clients[self.names.db(KEYS[name].store)].xrange(key)
            told = Counter(identity(name, [*chain.from_iterable(f.items())]) for _, f in entries)
            due = Counter({one: n for (of, one), n in self.entries.items() if of == name})
            for words, which in (("does not follow from the journal", told - due),
                                 ("is not there, or too seldom", due - told)):  # fmt: skip
                yield from (f"{key}: {one.decode()} {words}" for one in sorted(which))

    def against_desk(self, acked: set[str]) -> Iterator[str]:
        """What somebody acknowledged stays so."""
        for alert_id in sorted(acked - self.acknowledged):
            yield f"alert {alert_id} is no longer acknowledged"

    def of_itself(self) -> Iterator[str]:
        """Packets and volumes are conserved."""
        market = self.pipeline.market
        seen = market.normaliser.counts.received + self.pipeline.counts.rejected_packets
        if seen != self.announced:
            yield f"{self.announced} packets were announced, {seen} are accounted for"
        volumes = market.normaliser.volumes
        for row, instrument in enumerate(market.rows.instruments):
            whole = int(volumes.last[row] - volumes.first[row])
            late = int(market.minutes.late_volume[row])
            open_ = sum(int(values[bar.VOLUME]) for _, values in market.minutes.open_bars(row))
            closed = sum(v[bar.VOLUME] for (s, _), v in self.bars.items() if s == instrument.symbol)
            if closed + open_ + late != whole:
                yield (f"{instrument.symbol}: volume {whole} is not {closed} in bars, {open_} in "
                       f"the open one and {late} late")  # fmt: skip


def _is(told: dict[bytes, bytes], values: tuple[int, ...], divisor: float) -> bool:
    """Whether a bar in Redis is one of ours."""
    return int(told[b"volume"]) == values[bar.VOLUME] and all(
        float(told[name]) == values[at] / divisor for name, at in BAR_FIELDS
    )
