"""Lists of symbols in files of their own, such as an index's constituents as NSE publishes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

MARK = "@"
"""An item that begins so names a file with more of them."""
BYTES_MAX = 1 << 20
LONGEST = 64
COLUMN = "SYMBOL"


class ListError(Exception):
    """A file that holds no list; names it and says what is expected."""


def expanded(items: Iterable[str], folder: Path) -> list[str]:
    """The items, with those of the files that some of them name in their place.

    Args:
        folder: that names of files are relative to.

    Raises:
        ListError: a file cannot be read, or holds no list.
    """
    out: list[str] = []
    for item in items:
        out += read_list(folder / item[len(MARK) :]) if item.startswith(MARK) else [item]
    return list(dict.fromkeys(out))


def read_list(path: Path) -> list[str]:
    """Symbols of a file: a CSV with a column `Symbol`, or a symbol a line; # begins a comment.

    Raises:
        ListError: it cannot be read, or holds no list.
    """
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ListError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ListError(f"{path}: is not UTF-8 text") from None
    if len(data) > BYTES_MAX:
        raise ListError(f"{path}: larger than {BYTES_MAX} bytes; a list of symbols is small")
    try:
        found = _of_table(text)
        if found is None:
            found = _of_lines(text)
    except csv.Error as error:
        raise ListError(f"{path}: is no CSV: {error}") from None
    odd = next((one for one in found if len(one) > LONGEST or not one.isprintable()), None)
    if odd is not None:
        raise ListError(f"{path}: {odd[:20]!r} is no symbol")
    if not found:
        raise ListError(f"{path}: expected a column 'Symbol', or a symbol a line; there is none")
    return found


def _of_table(text: str) -> list[str] | None:
    """The column of a table; None where it has no such column."""
    rows = csv.reader(io.StringIO(text))
    head = [cell.strip().upper() for cell in next(rows, [])]
    if len(head) < 2 or COLUMN not in head:
        return None
    at = head.index(COLUMN)
    return [row[at].strip() for row in rows if len(row) > at and row[at].strip()]


def _of_lines(text: str) -> list[str]:
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]
