"""Lists of symbols in files of their own, such as an index's constituents as NSE publishes them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from itertools import dropwhile
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
        if len(data) > BYTES_MAX:
            raise ListError(f"{path}: larger than {BYTES_MAX} bytes; a list of symbols is small")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise ListError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ListError(f"{path}: is not UTF-8 text") from None
    except ValueError:  # no name of a file
        raise ListError(f"{str(path)!r} names no file") from None
    try:
        found = _symbols(text)
    except csv.Error as error:
        raise ListError(f"{path}: is no CSV: {error}") from None
    odd = next((one for one in found if len(one) > LONGEST or not one.isprintable()
                or "," in one or ";" in one), None)  # fmt: skip
    if odd is not None:
        raise ListError(f"{path}: {odd[:30]!r} is no symbol; a table needs a column 'Symbol', a "
                        "list a symbol a line")  # fmt: skip
    if not found:
        raise ListError(f"{path}: expected a column 'Symbol', or a symbol a line; there is none")
    return found


def _symbols(text: str) -> list[str]:
    """The column of a table that has one, else the lines."""
    lines = list(dropwhile(lambda line: not _told(line), text.splitlines(keepends=True)))
    rows = csv.reader(io.StringIO("".join(lines)))
    head = [cell.strip().upper() for cell in next(rows, [])]
    if COLUMN not in head:
        return [_told(line) for line in lines if _told(line)]
    at = head.index(COLUMN)
    return [row[at].strip() for row in rows if len(row) > at and row[at].strip()]


def _told(line: str) -> str:
    """A line without its comment."""
    return line.partition("#")[0].strip()
