"""A file that keeps a list from one engine to the next, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from kitetui.private_file import replace_private

T = TypeVar("T")
MOST = 500


class ListFile(Generic[T]):
    """Items of one kind; written whenever they differ from what the file holds."""

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._kind = kind
        self._held: bytes | None = None

    def read(self) -> list[T]:
        """What it holds; nothing where there is no file.

        A file that holds something else is put aside, so that nobody writes over it.

        Raises:
            OSError: it cannot be read, or was put aside.
        """
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return []
        try:
            found: list[T] = msgspec.json.decode(data, type=list[self._kind])  # type: ignore[name-defined]
        except msgspec.DecodeError as error:
            aside = self._path.with_suffix(".unreadable")
            self._path.replace(aside)
            words = f"cannot be understood ({error}); it is {aside.name} now"
            raise OSError(0, words, str(self._path)) from None
        return found[:MOST]

    async def keep(self, items: Sequence[T]) -> None:
        """Write them down where they changed, on a thread that may wait.

        Raises:
            OSError: the file cannot be written.
        """
        data = msgspec.json.encode(items[:MOST])
        if data == self._held:
            return
        await asyncio.to_thread(replace_private, self._path, data)
        self._held = data
