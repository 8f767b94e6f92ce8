"""Instrument dumps as Kite gave them, a file a day: for a morning on which it gives none."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from kitetui.private_file import read_private, replace_private

KEPT = 3
WHOLE_SHARE = 0.5
"""Of the last table's lines; a dump with fewer is cut off. Expiries take a fifth at most."""
FILE_MAX_BYTES = 64 << 20
_NAME = re.compile(r"\d{4}-\d{2}-\d{2}\.csv\.gz$")


class InstrumentFiles:
    """Dumps by date."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, day: str, data: bytes) -> None:
        """Keep a day's dump, gzipped; the oldest ones go.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(mode=0o700, exist_ok=True)
        replace_private(self._folder / f"{day}.csv.gz", data)
        for old in self._files()[:-KEPT]:
            old.unlink(missing_ok=True)

    def whole(self, count: int, lines: Callable[[bytes], int]) -> str:
        """Why a table of so many instruments is not whole; '' where nothing speaks against it.

        Args:
            lines: how many a dump has, 0 where it cannot be read.
        """
        known = self.newest()
        before = lines(known[1]) if known is not None else 0
        if known is None or count >= before * WHOLE_SHARE:
            return ""
        return (f"the instrument dump has {count:,} lines, that of {known[0]} had {before:,}: "
                "it is cut off")  # fmt: skip

    def newest(self) -> tuple[str, bytes] | None:
        """The newest dump and its date; None where there is none."""
        for path in reversed(self._files()):
            try:
                return path.name[:10], read_private(path, FILE_MAX_BYTES)
            except OSError:
                continue
        return None

    def _files(self) -> list[Path]:
        try:
            return sorted(p for p in self._folder.iterdir() if _NAME.fullmatch(p.name))
        except OSError:
            return []
