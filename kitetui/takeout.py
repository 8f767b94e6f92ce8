"""What is taken out of the screen: text, tables and pictures, as private files."""

from __future__ import annotations

import csv
import io
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from kitetui.private_file import replace_private
from kitetui.widgets.safe_text import clean

KEPT = 50
"""Tables and pictures that stay; the oldest are removed."""
OURS = (".csv", ".svg", ".png")
_FORMULA = ("=", "@", "+", "-", "\t", "\r")
"""What makes a spreadsheet calculate."""


class Takeout:
    """A folder of files that somebody wanted to keep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def text(self, text: str) -> Path:
        """What was copied last.

        Raises:
            OSError: it cannot be written.
        """
        return self._write("copied.txt", text.encode())

    def table(self, name: str, stamp: str, heads: Sequence[str],
              rows: Iterable[Sequence[object]]) -> Path:  # fmt: skip
        """A table as CSV.

        Raises:
            OSError: it cannot be written.
        """
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(heads)
        writer.writerows([_harmless(cell) for cell in row] for row in rows)
        return self._write(f"{name}-{stamp}.csv", out.getvalue().encode())

    def picture(self, stamp: str, svg: str) -> tuple[Path, ...]:
        """The screen as SVG, and as PNG where `resvg_py` is installed.

        Raises:
            OSError: it cannot be written.
        """
        paths = [self._write(f"screen-{stamp}.svg", svg.encode())]
        render = _renderer()
        if render is not None:
            paths.append(self._write(f"screen-{stamp}.png", render(svg)))
        return tuple(paths)

    def failure(self, name: str, error: BaseException) -> Path:
        """Where something of the screen went wrong.

        Raises:
            OSError: it cannot be written.
        """
        told = "".join(traceback.format_exception(error))
        return self._write(f"failed-{name}.txt", told.encode("utf-8", "replace"))

    def _write(self, name: str, data: bytes) -> Path:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        path = self._folder / name
        replace_private(path, data)
        ours = (one for one in self._folder.iterdir() if one.suffix in OURS)
        files = sorted(ours, key=lambda one: one.stat().st_mtime)
        for old in files[:-KEPT]:
            old.unlink(missing_ok=True)
        return path


def _harmless(cell: object) -> object:
    """A cell that no spreadsheet takes for a formula, and no terminal obeys; numbers stay
    numbers."""
    if not isinstance(cell, str):
        return cell
    if not cell.startswith(_FORMULA):
        return clean(cell)
    try:
        float(cell.replace(",", "").rstrip("%KMBT"))
    except ValueError:
        return f"'{clean(cell)}"
    return cell


def _renderer() -> Callable[[str], bytes] | None:
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        return None
    return lambda svg: bytes(svg_to_bytes(svg_string=svg))
