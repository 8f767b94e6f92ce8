"""Columns of numbers as text, all rows at once: what commands and documents are joined from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from kitetui.engine.arrow import pa, pc
from kitetui.engine.feed.batch import F64, I64, U8

Text: TypeAlias = Any
"""A pyarrow array of binary strings, one a row; pyarrow has no types of its own."""
Piece: TypeAlias = Any
"""Bytes that are the same in every row, or a `Text`."""


def numbers(columns: Sequence[I64] | Sequence[F64]) -> list[Text]:
    """The text of each column: integers without a point, floats in the shortest exact form.

    Args:
        columns: of one type and one length, finite.
    """
    if not len(columns):
        return []
    n = len(columns[0])
    flat = pc.cast(pa.array(np.concatenate(columns)), pa.string()).cast(pa.binary())
    return [flat.slice(at * n, n) for at in range(len(columns))]


def maybe(columns: Sequence[F64]) -> list[Text]:
    """The text of each column; empty where a number is NaN."""
    texts = numbers([np.nan_to_num(column) for column in columns])
    return [pc.if_else(pa.array(np.isnan(column)), b"", text)
            for column, text in zip(columns, texts, strict=True)]  # fmt: skip


def strings(values: Sequence[bytes]) -> Text:
    """Strings as they are."""
    return pa.array(values, pa.binary())


def fixed(rows: U8) -> Text:
    """Rows of bytes, u8 (n, k), as strings of k bytes."""
    n, width = rows.shape
    held = pa.py_buffer(np.ascontiguousarray(rows))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), n, [None, held]).cast(pa.binary())


def choose(table: Text, rows: I64 | None) -> Text:
    """The strings of a table at places i64 (n,); None stands for all."""
    return table if rows is None else table.take(pa.array(rows))


def parts(values: I64) -> list[tuple[int, I64 | None]]:
    """The different values, and where each stands; None where there is one alone."""
    found = np.unique(values).tolist()
    if len(found) == 1:
        return [(found[0], None)]
    return [(value, np.flatnonzero(values == value)) for value in found]


def join(pieces: Sequence[Piece]) -> Text:
    """Pieces one after the other, row by row; at least one of them is a `Text`."""
    merged: list[Piece] = []
    for piece in pieces:  # constants that meet become one: each piece costs a call a row
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    return pc.binary_join_element_wise(*merged, b"")


def lengths(text: Text) -> I64:
    """Bytes of each string: i64 (n,)."""
    found: I64 = pc.binary_length(text).to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def joined(parts: Sequence[tuple[I64, Text]], n: int) -> Text:
    """Texts of parts of n rows, given with their places, in the order of the rows."""
    if len(parts) == 1:
        return parts[0][1]
    order = np.empty(n, np.int64)
    order[np.concatenate([places for places, _ in parts])] = np.arange(n)
    return pa.concat_arrays([text for _, text in parts]).take(pa.array(order))


def blob(text: Text) -> memoryview:
    """All rows' bytes, one after the other, without a copy."""
    if not len(text):
        return memoryview(b"")
    _, offsets, data = text.buffers()
    held = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    return memoryview(data)[int(held[0]) : int(held[-1])]
