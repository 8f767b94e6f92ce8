"""Packets with their times, as columns, and a digest that tells whether they are the same."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from kitetui.engine.feed.batch import I64, PACKET_MAX, U8

U64 = npt.NDArray[np.uint64]


class Packets(msgspec.Struct):
    """Packets in order of arrival, as parallel columns."""

    token: I64
    recv_ns: I64
    length: U8
    packets: U8

    def take(self, index: Any) -> Packets:
        return Packets(self.token[index], self.recv_ns[index], self.length[index],
                        self.packets[index])  # fmt: skip


class Digest:
    """Of each token's packets, in order, with their times; batches may be cut anywhere."""

    def __init__(self) -> None:
        rng = np.random.default_rng(20_151_021)
        self._weights: U64 = rng.integers(1, 1 << 63, PACKET_MAX // 8 + 2).astype(np.uint64) * 2 + 1
        self.of_token: dict[int, tuple[int, int]] = {}
        """Count and digest."""

    def add(self, part: Packets) -> None:
        """Take packets."""
        n = len(part.token)
        if not n:
            return
        words = np.ascontiguousarray(part.packets).view(np.uint64)
        mixed = words @ self._weights[:-2]
        mixed += part.length * self._weights[-2] + part.recv_ns.view(np.uint64) * self._weights[-1]
        mixed ^= mixed >> np.uint64(29)
        mixed *= self._weights[0]
        order = np.argsort(part.token, kind="stable")
        tokens = part.token[order]
        heads = np.flatnonzero(np.append(True, tokens[1:] != tokens[:-1]))
        counts = np.diff(np.append(heads, n))
        before = [self.of_token.get(t, (0, 0)) for t in tokens[heads].tolist()]
        place = np.arange(n) - np.repeat(heads - np.array([c for c, _ in before]), counts)
        sums = np.add.reduceat(mixed[order] * (place.astype(np.uint64) * 2 + 1), heads)
        for token, count, (had, was), more in zip(
            tokens[heads].tolist(), counts.tolist(), before, sums.tolist(), strict=True
        ):
            self.of_token[token] = had + count, (was + more) & 0xFFFF_FFFF_FFFF_FFFF
