"""`kitetui decode`: frames to JSON lines under the official field names."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from kitetui.cli.options import fail
from kitetui.engine.feed import wire
from kitetui.engine.feed.records import Kind

FRAME_MAX_BYTES = 64 << 20
ARROW_CONTINUATION = b"\xff\xff\xff\xff"


def decode_files(files: Sequence[Path]) -> int:
    """Print every tick; 1 when anything was rejected, else 0."""
    announced = parsed = trailing = heartbeats = 0
    rejected: dict[str, int] = {}
    for path in files:
        for frame in _frames(path):
            decoded = wire.decode([frame])
            announced += decoded.announced
            parsed += len(decoded.batch)
            trailing += decoded.trailing_bytes
            heartbeats += decoded.heartbeats
            for reason, packets in decoded.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + packets
            for tick in wire.to_dicts(decoded.batch):
                sys.stdout.buffer.write(orjson.dumps(tick, option=orjson.OPT_APPEND_NEWLINE))
    summary = {"announced": announced, "parsed": parsed, "rejected": rejected,
               "trailing_bytes": trailing, "heartbeats": heartbeats}  # fmt: skip
    sys.stdout.buffer.flush()
    sys.stderr.buffer.write(orjson.dumps(summary, option=orjson.OPT_APPEND_NEWLINE))
    return 1 if rejected or trailing else 0


def _frames(path: Path) -> Iterator[bytes]:
    """The one frame a file is, or the frames of a journal."""
    from kitetui.engine.feed.journal_reader import JournalError, JournalReader

    try:
        with path.open("rb") as file:
            head = file.read(4)
            if head != ARROW_CONTINUATION:
                rest = file.read(FRAME_MAX_BYTES + 1)
                if len(rest) > FRAME_MAX_BYTES:
                    fail(2, f"{path}: over {FRAME_MAX_BYTES} bytes is no frame of Kite's")
                yield head + rest
                return
    except OSError as error:
        fail(2, f"{path}: cannot be read: {error.strerror}")
    try:
        for batch in JournalReader(path):
            for kind, payload in zip(batch.kind, batch.payload, strict=True):
                if kind == Kind.FRAME:
                    yield payload
    except JournalError as error:
        fail(2, str(error))
