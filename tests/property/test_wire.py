"""Laws of the wire: round trip, and no bytes that break the count."""

from __future__ import annotations

import random
import zlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import LENGTHS, TickBatch

U32 = st.integers(0, 2**32 - 1)
FUZZ_FRAMES = 1_000_000


@st.composite
def batches(draw: st.DrawFn) -> TickBatch:
    """Any ticks that the wire can carry."""
    n = draw(st.integers(0, 12))
    out = TickBatch(n)
    for at in range(n):
        out.length[at] = draw(st.sampled_from(LENGTHS))
        positions = wire._WORD_POSITIONS[int(out.length[at])]
        for position in positions:
            out.cols[position, at] = draw(U32)
        if out.length[at] in (28, 32):
            out.change[at] = draw(st.integers(-(2**31), 2**31 - 1))
        if out.length[at] == 184:
            seed = draw(st.integers(0, 2**32 - 1))
            rng = np.random.default_rng(seed)
            out.depth[at, :, :2] = rng.integers(0, 2**32, (10, 2))
            out.depth[at, :, 2] = rng.integers(0, 2**16, 10)
    return out


@given(batches(), st.integers(1, 5))
def test_decoding_what_was_encoded_gives_the_same_ticks(batch: TickBatch, size: int) -> None:
    packets = wire.encode_packets(batch)
    frames = [wire.encode_frame(packets[at : at + size]) for at in range(0, len(packets), size)]
    decoded = wire.decode(frames)
    assert decoded.announced == len(batch)
    assert not decoded.rejected
    np.testing.assert_array_equal(decoded.batch.cols, batch.cols)
    np.testing.assert_array_equal(decoded.batch.depth, batch.depth)
    np.testing.assert_array_equal(decoded.batch.length, batch.length)
    assert wire.encode_packets(decoded.batch) == packets


@given(st.lists(st.binary(max_size=400), max_size=6))
@settings(max_examples=400)
def test_any_bytes_are_counted_and_never_raise(frames: list[bytes]) -> None:
    decoded = wire.decode(frames)
    assert len(decoded.batch) + sum(decoded.rejected.values()) == decoded.announced


def test_a_million_damaged_frames_lose_no_count() -> None:
    """Valid frames truncated, flipped, extended, compressed and mixed; fixed seed."""
    rng = random.Random(20251215)
    numbers = np.random.default_rng(7)
    ticks = TickBatch(400)
    ticks.cols[:16] = numbers.integers(0, 2**32, (16, 400))
    ticks.length[:] = numbers.choice(LENGTHS, 400)
    packets = wire.encode_packets(ticks)
    pool = []
    for _ in range(4000):
        chosen = rng.sample(packets, rng.randint(0, 4))
        body = bytearray(wire.encode_frame(chosen))
        kind = rng.randrange(6)
        if kind == 0:
            body = body[: rng.randint(0, len(body))]
        elif kind == 1 and body:
            for _ in range(3):
                body[rng.randrange(len(body))] = rng.randrange(256)
        elif kind == 2:
            body += rng.randbytes(rng.randint(1, 9))
        elif kind == 3:
            body = bytearray(zlib.compress(bytes(body))[: rng.randint(2, 400)])
        elif kind == 4:
            body = bytearray(rng.randbytes(rng.randint(0, 80)))
        pool.append(bytes(body))
    parsed = rejected = announced = frames = 0
    while frames < FUZZ_FRAMES:
        rng.shuffle(pool)
        run = pool[:2000]
        decoded = wire.decode(run)
        frames += decoded.frames
        parsed += len(decoded.batch)
        rejected += sum(decoded.rejected.values())
        announced += decoded.announced
        assert len(decoded.batch) + sum(decoded.rejected.values()) == decoded.announced
    assert frames >= FUZZ_FRAMES
    assert parsed > frames // 2
    assert rejected > frames // 10
    assert parsed + rejected == announced
