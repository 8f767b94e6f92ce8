"""What happened, as JSON lines in files: for people with grep, and for whoever collects logs."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kitetui.engine.calendar import ist

FILE_MAX_BYTES = 5 << 20
FILES = 5
REPEAT_NS = 60 * 1_000_000_000
KNOWN_MAX = 1_000
NS = 1_000_000_000


class Said(NamedTuple):
    """Something that happened: at which session second, to what, in words."""

    at_s: int
    source: str
    text: str


class EventLog:
    """Appends to `kitetui.jsonl`; full files become `.1` to `.4`, and the oldest goes.

    The same words are written once; what follows of them within a minute is counted, and told at
    its end.
    """

    def __init__(self, folder: Path, run_id: str) -> None:
        self._folder = folder
        self._path = folder / "kitetui.jsonl"
        self._run_id = run_id
        self._seq = 0
        self._known: dict[tuple[str, str], tuple[int, int]] = {}

    def write(self, events: Sequence[Said], now_ns: int) -> None:
        """Append events, oldest first.

        Raises:
            OSError: they cannot be written.
        """
        lines = [self._line(event, now_ns, {}) for event in events if self._is_news(event, now_ns)]
        lines = [*self._repeated(now_ns), *lines]
        if not lines:
            return
        self._folder.mkdir(mode=0o700, exist_ok=True)
        data = "".join(lines).encode()
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        with contextlib.suppress(FileNotFoundError):
            if self._path.lstat().st_size + len(data) > FILE_MAX_BYTES:
                self._rotate()
        handle = os.open(self._path, flags, 0o600)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)

    def _is_news(self, event: Said, now_ns: int) -> bool:
        """Whether it was not said within the last minute; else it is counted."""
        key = (event.source, event.text)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= KNOWN_MAX:
                del self._known[next(iter(self._known))]
            self._known[key] = (now_ns, 0)
            return True
        self._known[key] = (known[0], known[1] + 1)
        return False

    def _repeated(self, now_ns: int) -> list[str]:
        """Lines about what was said again, of minutes that are over."""
        out = []
        for key, (since_ns, count) in list(self._known.items()):
            if now_ns - since_ns >= REPEAT_NS:
                del self._known[key]
                if count:
                    out.append(self._line(Said(0, *key), now_ns, {"repeated": count}))
        return out

    def _line(self, event: Said, now_ns: int, more: dict[str, int]) -> str:
        self._seq += 1
        at = ist(now_ns / NS).isoformat(timespec="milliseconds")
        session = ist(event.at_s).isoformat() if event.at_s else None
        fields = {"ts": at, "run": self._run_id, "seq": self._seq, "event": event.source,
                  "text": event.text, "session": session, **more}  # fmt: skip
        return json.dumps(fields) + "\n"  # ASCII: no control character reaches a terminal

    def _rotate(self) -> None:
        for number in range(FILES - 1, 0, -1):
            older = self._path.with_name(f"kitetui.jsonl.{number}")
            newer = self._path if number == 1 else self._path.with_name(
                f"kitetui.jsonl.{number - 1}")  # fmt: skip
            if newer.exists():
                newer.replace(older)
