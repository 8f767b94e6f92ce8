"""pyarrow as it is used here: with the system's memory, and without pandas.

Who imports it first decides on both, so nobody else does. Its own allocator keeps more of what
batches leave behind the longer it runs: tens of megabytes a day. And pyarrow looks for pandas once,
at its first array, to know data frames when it sees them; here are none, and it would bring 75 MB
and a sixth of a second at start.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec

os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

import pyarrow as pa

from kitetui.engine.late import Late, loader

pc, pacsv, pq = (Late(loader(f"pyarrow.{name}")) for name in ("compute", "csv", "parquet"))
"""They take 70 ms, most of it for a thousand functions: a start can do without."""


class _Hidden:
    """Says that there is no pandas."""

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        if name == "pandas":
            raise ModuleNotFoundError("pandas is not used here", name=name)
        return None


def _look_once() -> None:
    if "pandas" in sys.modules:
        return
    hidden = _Hidden()
    sys.meta_path.insert(0, hidden)
    try:
        pa.array([0])
    finally:
        sys.meta_path.remove(hidden)


_look_once()

__all__ = ["pa", "pacsv", "pc", "pq"]
