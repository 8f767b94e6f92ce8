"""Decoding, beside the official client's parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, LENGTHS, TickBatch
from tests.bench.measure import Result, best_s

N = 500


def frames(per_frame: int, lengths: tuple[int, ...]) -> list[bytes]:
    """A batch of 500 packets in frames of some size."""
    rng = np.random.default_rng(1)
    ticks = TickBatch(N)
    ticks.cols[:16] = rng.integers(1, 2**31, (16, N))
    ticks.token[:] = rng.integers(1, 60_000, N) << 8 | 1
    ticks.exch_s[:] = ticks.ltt_s[:] = 1_765_770_300
    ticks.depth[:, :, :2] = rng.integers(1, 2**31, (N, 10, 2))
    ticks.depth[:, :, 2] = rng.integers(1, 2**15, (N, 10))
    ticks.length[:] = rng.choice(lengths, N)
    packets = wire.encode_packets(ticks)
    return [wire.encode_frame(packets[a : a + per_frame]) for a in range(0, N, per_frame)]


def official_parser() -> Callable[[bytes], object] | None:
    """The official client's parser, where it is installed."""
    try:
        from kiteconnect import KiteTicker
    except ImportError:
        return None
    parse: Callable[[bytes], object] = KiteTicker("key", "token")._parse_binary
    return parse


def run() -> Iterator[Result]:
    parse = official_parser()
    full_peer = None
    for per_frame in (1, 10, 100):
        batch = frames(per_frame, (FULL,))
        ours = N / best_s(lambda b=batch: wire.decode(b)) / 1e3
        peer = N / best_s(lambda b=batch: [parse(f) for f in b]) / 1e3 if parse else None
        target, holds = "", None
        if per_frame == 10:
            full_peer = peer
            target = ">=3000 or 40x"
            holds = ours >= 3000 or (peer is not None and ours >= 40 * peer)
        yield Result(f"decode full packets, {per_frame} a frame", "k/s", ours, peer, target, holds)
    for per_frame in (10, 100):
        batch = frames(per_frame, LENGTHS)
        ours = N / best_s(lambda b=batch: wire.decode(b)) / 1e3
        peer = N / best_s(lambda b=batch: [parse(f) for f in b]) / 1e3 if parse else None
        # The target was set where the peer decoded 73,000 full packets a second.
        scale = min(full_peer / 73, 1.0) if full_peer else 1.0
        yield Result(f"decode mixed packets, {per_frame} a frame", "k/s", ours, peer,
                     f">={1500 * scale:.0f}", ours >= 1500 * scale)  # fmt: skip
    batch = frames(10, (FULL,))
    ours = N / best_s(lambda: wire.to_dicts(wire.decode(batch).batch)) / 1e3
    peer = N / best_s(lambda: [parse(f) for f in batch]) / 1e3 if parse else None
    yield Result("decode to the official dicts", "k/s", ours, peer, ">=4x",
                 ours >= 4 * peer if peer else None)  # fmt: skip
