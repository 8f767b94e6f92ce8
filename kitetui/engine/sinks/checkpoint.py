"""The checkpoint: an engine's state at a place of its journal, in one file that is whole or not."""

from __future__ import annotations

import os
import shutil
import struct
from pathlib import Path
from zlib import crc32

import msgspec

from kitetui.engine.state import Frozen, StateError

MAGIC = b"kitetui-checkpoint-1\n"
_CRC = struct.Struct("<I")


class CheckpointError(Exception):
    """A file that cannot be used; says why."""


class Mark(msgspec.Struct, frozen=True):
    """What a checkpoint holds, and for whom it is.

    Attributes:
        journal, offset: the file that has the last batch which is in it, and where that begins;
            number: of that batch.
        at_s: session time, 0 before any.
        day: the session's date, days since the epoch; source: of the feed, as journals tell it.
        made_by: a digest of the code and the settings: others would go on otherwise.
    """

    journal: str
    offset: int
    number: int
    at_s: int
    day: int
    source: bytes
    made_by: str


class _Kept(msgspec.Struct):
    mark: Mark
    state: Frozen


def write(path: Path, mark: Mark, state: Frozen) -> None:
    """Put a checkpoint in the place of the one before, mode 0600; blocking.

    Raises:
        OSError: it cannot be written; the one before stays.
        StateError: it holds what cannot be told.
    """
    try:
        data = msgspec.msgpack.encode(_Kept(mark, state))
    except (ValueError, ArithmeticError, RecursionError, TypeError) as error:
        raise StateError(f"{type(error).__name__}: {error}") from None
    fresh = path.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines((MAGIC, _CRC.pack(crc32(data)), data))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def keep_also(path: Path, name: Path) -> None:
    """Have a checkpoint under another name too; the next one is another file.

    Raises:
        OSError: there is none, or the disk does not take the name.
    """
    try:
        os.link(path, name)
    except FileExistsError:
        return
    except OSError:
        shutil.copy(path, name)  # not every disk has links


def read(path: Path) -> tuple[Mark, Frozen] | None:
    """The checkpoint, or None where there is none; blocking.

    Raises:
        CheckpointError: it is damaged, or of another format.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CheckpointError(f"{path.name}: {error.strerror or error}") from None
    head = len(MAGIC) + _CRC.size
    if not data.startswith(MAGIC) or len(data) < head:
        raise CheckpointError(f"{path.name}: is no checkpoint of this format")
    body = memoryview(data)[head:]
    if crc32(body) != _CRC.unpack_from(data, len(MAGIC))[0]:
        raise CheckpointError(f"{path.name}: is damaged")
    try:
        kept = msgspec.msgpack.decode(body, type=_Kept)
    except (msgspec.DecodeError, RecursionError) as error:
        raise CheckpointError(f"{path.name}: {error}") from None
    return kept.mark, kept.state
