"""Recorded frames as a market: a journal's packets, at their own pace or as fast as possible."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

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

    def ticks(self) -> Iterator[tuple[int, TickBatch]]:
        """(receive time in ns, ticks) of every recorded frame that holds ticks."""
        for batch in self.reader:
            for kind, at_ns, payload in zip(batch.kind, batch.recv_ns, batch.payload, strict=True):
                if kind == Kind.FRAME and len(payload) > 1:
                    decoded = wire.decode([payload], [at_ns])
                    if len(decoded.batch):
                        yield at_ns, decoded.batch
