"""What is written to Redis says what the ticks say, whatever these are."""

from __future__ import annotations

import contextlib
import math

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, LENGTHS, TickBatch
from kitetui.engine.market.instruments import Rows, unlisted
from kitetui.engine.market.normalise import Run
from kitetui.engine.sinks.redis import PackedError, unpack
from kitetui.engine.sinks.redis.documents import Documents
from kitetui.engine.sinks.redis.ids import StreamIds
from kitetui.engine.sinks.redis.packed import pack
from kitetui.engine.sinks.redis.resp import command, commands
from kitetui.engine.sinks.redis.text import blob, maybe, strings

U32 = st.integers(0, 2**32 - 1)
TOKENS = (256 << 8 | 1, 257 << 8 | 3, 258 << 8 | 9, 259 << 8 | 6, 260 << 8 | 250)


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """A run of packets of any length and any content, of known and unknown instruments."""
    n = draw(st.integers(1, 12))
    ticks = TickBatch(n)
    for at in range(n):
        ticks.length[at] = draw(st.sampled_from(LENGTHS))
        ticks.token[at] = draw(st.sampled_from(TOKENS))
        for name in wire.WORDS[FULL][1:]:
            getattr(ticks, name)[at] = draw(U32)
        ticks.depth[at, :, :2] = draw(st.lists(U32, min_size=20, max_size=20).map(
            lambda values: np.array(values).reshape(10, 2)))  # fmt: skip
        ticks.depth[at, :, 2] = draw(st.integers(0, 2**16 - 1))
    decoded = wire.decode([wire.encode_frame(wire.encode_packets(ticks))]).batch
    decoded.recv_ns[:] = draw(st.integers(0, 2**62))
    decoded.flags[:] = draw(st.integers(0, 2**16 - 1))
    rows = Rows(8)
    rows.add([unlisted(token) for token in TOKENS[:4]])
    decoded.row[:] = rows.find(decoded.token)
    return Run(decoded, np.array([draw(U32) for _ in range(n)], np.int64))


@given(runs())
def test_documents_have_the_official_values(run: Run) -> None:
    rows = Rows(8)
    rows.add([unlisted(token) for token in TOKENS[:4]])
    found = [orjson.loads(text) for text in Documents(rows).of(run).to_pylist()]
    expected = wire.to_dicts(run.ticks, rows.divisors)
    for told, tick, increment, row in zip(found, expected, run.increment.tolist(),
                                          run.ticks.row.tolist(), strict=True):  # fmt: skip
        for name, value in tick.items():
            assert told[name] == value, name
        assert told["volume_increment"] == increment
        assert told["flags"] == run.ticks.flags[0]
        assert told["received"] == run.ticks.recv_ns[0] // 1_000_000
        assert ("tradingsymbol" in told) == (row >= 0)
        assert set(told) - set(tick) <= {"volume_increment", "flags", "received", "tradingsymbol",
                                         "exchange"}  # fmt: skip


@given(st.lists(runs(), min_size=1, max_size=3), st.sampled_from(["none", "zstd"]),
       st.integers(0, 2**60))  # fmt: skip
def test_what_was_packed_is_unpacked(parts: list[Run], codec: str, seq: int) -> None:
    data = pack(parts, seq, 1_765_770_330, codec)  # type: ignore[arg-type]
    found = unpack(data)
    assert (found.seq, found.epoch, found.partition) == (seq, 1_765_770_330, 0)
    for name in ("cols", "depth"):
        axis = 1 if name == "cols" else 0
        expected = np.concatenate([getattr(part.ticks, name) for part in parts], axis=axis)
        assert (getattr(found.ticks, name) == expected).all(), name
    for name in ("length", "flags"):
        expected = np.concatenate([getattr(part.ticks, name) for part in parts])
        assert (getattr(found.ticks, name) == expected).all(), name
    assert (found.increment == np.concatenate([part.increment for part in parts])).all()


@given(runs(), st.sampled_from(["none", "zstd"]), st.data())
def test_damaged_bytes_are_an_error_and_never_other_ticks(
    run: Run, codec: str, data: st.DataObject
) -> None:
    blob_ = bytearray(pack([run], 7, 9, codec))  # type: ignore[arg-type]
    cut = data.draw(st.integers(0, len(blob_) - 1))
    with pytest.raises(PackedError):
        unpack(bytes(blob_[:cut]))
    at = data.draw(st.integers(48, len(blob_) - 1))
    blob_[at] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(PackedError):
        assert (unpack(bytes(blob_)).ticks.cols == run.ticks.cols).all()


@given(st.binary(max_size=200))
def test_anything_else_is_an_error(garbage: bytes) -> None:
    with pytest.raises(PackedError):
        unpack(garbage)
    with pytest.raises(PackedError):
        unpack(b"KTP1" + garbage)


@given(
    st.tuples(st.integers(0, 50), st.integers(0, 5)),
    st.lists(st.integers(0, 60), max_size=20),
    st.lists(st.integers(0, 20), max_size=3),
)
def test_ids_rise_and_are_the_same_one_by_one_and_together(
    held: tuple[int, int], times: list[int], cuts: list[int]
) -> None:
    single, together, parts = StreamIds(held), StreamIds(held), StreamIds(held)
    expected = [single.next(ms) for ms in times]
    ms, seq = together.take(np.array(times, np.int64))
    assert [b"%d-%d" % pair for pair in zip(ms.tolist(), seq.tolist(), strict=True)] == expected
    assert together.last == single.last
    found: list[tuple[int, int]] = []
    at = 0
    for cut in [*sorted(cuts), len(times)]:
        ms, seq = parts.take(np.array(times[at:cut], np.int64))
        found += zip(ms.tolist(), seq.tolist(), strict=True)
        at = max(at, cut)
    assert [b"%d-%d" % pair for pair in found] == expected
    assert all(a < b for a, b in zip([held, *found], found, strict=False))


@given(st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=300)), min_size=1))
def test_commands_of_columns_are_those_of_rows(pairs: list[tuple[bytes, bytes]]) -> None:
    keys, values = (strings(list(column)) for column in zip(*pairs, strict=True))
    found = commands(b"SET", keys, values, b"EX", b"5")
    expected = [command(b"SET", key, value, b"EX", b"5") for key, value in pairs]
    assert found.to_pylist() == expected
    assert bytes(blob(found)) == b"".join(expected)
    assert bytes(blob(found.slice(1))) == b"".join(expected[1:])


@given(st.lists(st.floats(allow_infinity=False, width=64), min_size=1))
def test_text_of_floats_is_exact_and_empty_where_undefined(values: list[float]) -> None:
    for text, value in zip(maybe([np.array(values)])[0].to_pylist(), values, strict=True):
        assert (text == b"") if math.isnan(value) else float(text) == value
