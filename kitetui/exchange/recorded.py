"""Recorded frames as a market: a journal's packets, at their own pace or as fast as possible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import TickBatch
from kitetui.engine.feed.journal_reader import JournalReader
from kitetui.engine.feed.records import Kind

NS = 1_000_000_000


class Recorded:
    """The frames of a journal.

    Attributes:
        instruments: the recorded instrument table, gzipped CSV; empty where there is none.
        reader: counts what could be read.
    """

    def __init__(self, path: Path) -> None:
        """Open a journal and find its instrument table.

        Raises:
            JournalError: missing, or no journal.
        """
        self.path = path
        self.reader = JournalReader(path)
        self.instruments = b""
        for at, batch in enumerate(JournalReader(path)):
            for kind, payload in zip(batch.kind, batch.payload, strict=True):
                if kind == Kind.INSTRUMENTS:
                    self.instruments = payload
            if self.instruments or at > 8:
                break

    def frames(self) -> Iterator[tuple[int, bytes, TickBatch]]:
        """(receive time in ns, frame, its ticks) of every recorded frame that holds ticks."""
        for batch in self.reader:
            held = [at for at, kind in enumerate(batch.kind) if kind == Kind.FRAME]
            # One decode a batch: the "receive time" given is the frame's place in it.
            decoded = wire.decode([batch.payload[at] for at in held], range(len(held)))
            edges = np.searchsorted(decoded.batch.recv_ns, np.arange(len(held) + 1))
            for place, at in enumerate(held):
                ticks = decoded.batch.take(slice(int(edges[place]), int(edges[place + 1])))
                if len(ticks):
                    yield batch.recv_ns[at], batch.payload[at], ticks
