"""A feed of full packets at a steady rate: a WebSocket server in a process of its own.

Usage: python -m tests.bench.feed_child RATE INSTRUMENTS SECONDS. Prints its port, and how many
packets it sent once its input ends. A packet's volume, price and times move on at each turn.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import numpy as np
from websockets.asyncio.server import ServerConnection, serve

from kitetui.engine.feed import wire
from kitetui.engine.feed.batch import FULL, TickBatch

PER_FRAME = 50
TOKEN_STEP = 1
MARK_MAX = 10_000_000
"""The first instrument's price in paise, less this, is the time of its sending: ms of the monotonic
clock, in so many."""


class Feed:
    """Frames that are ready to be sent, and the pace at which they go out."""

    def __init__(self, rate: float, instruments: int, seconds: float) -> None:
        tokens = np.arange(1, instruments + 1, dtype=np.int64) << 8 | TOKEN_STEP
        rng = np.random.default_rng(5)
        ticks = TickBatch(instruments)
        ltp = rng.integers(10_000, 400_000, instruments) // 5 * 5
        ticks.length[:] = FULL
        for column in (ticks.ltp, ticks.open, ticks.high, ticks.low, ticks.close, ticks.atp):
            column[:] = ltp
        ticks.token[:] = tokens
        ticks.high[:] = ltp + 500
        ticks.low[:] = ltp - 500
        ticks.volume[:] = rng.integers(1_000, 900_000, instruments)
        steps = np.arange(1, 6) * 5
        ticks.depth[:, :5, 1] = ltp[:, None] - steps
        ticks.depth[:, 5:, 1] = ltp[:, None] + steps
        ticks.depth[:, :, 0] = rng.integers(1, 5_000, (instruments, 10))
        ticks.depth[:, :, 2] = rng.integers(1, 90, (instruments, 10))
        packets = wire.encode_packets(ticks)
        self.frames = [
            bytearray(wire.encode_frame(packets[at : at + PER_FRAME]))
            for at in range(0, instruments, PER_FRAME)
        ]
        self.connections = -(-instruments // 3_000)
        self.rate, self.seconds = rate / self.connections, seconds
        self.joined = self.sent = 0
        self.began = 0.0

    def frame(self, at: int, turn: int) -> bytes:
        """A frame of one turn: later volumes, other prices and quantities."""
        data = self.frames[at]
        packets = np.frombuffer(data, np.uint8)[2:].reshape(-1, 2 + FULL)[:, 2:]
        columns = packets.reshape(-1, FULL // 4, 4)
        now = np.frombuffer(int(time.time()).to_bytes(4, "big"), np.uint8)
        volume = columns[:, 4].copy().view(">u4")[:, 0] + 7
        columns[:, 4] = volume.astype(">u4").view(np.uint8).reshape(-1, 4)
        columns[:, 11] = now
        columns[:, 15] = now
        columns[:, 16, 3] = turn & 0xFF
        columns[:, 1, 3] ^= 1
        if at == 0:
            mark = MARK_MAX + round(time.monotonic() * 1000) % MARK_MAX
            columns[0, 1] = np.frombuffer(mark.to_bytes(4, "big"), np.uint8)
        return bytes(data)

    async def serve(self, socket: ServerConnection) -> None:
        """Send until the time is over; the subscription tells when to begin."""
        await socket.recv()
        mine = range(self.joined, len(self.frames), self.connections)
        self.joined += 1
        began = time.perf_counter()
        self.began = self.began or began
        sent = turn = 0
        while time.perf_counter() - self.began < self.seconds:
            for at in mine:
                due = began + sent / self.rate
                wait = due - time.perf_counter()
                if wait > 0.001:
                    await asyncio.sleep(wait)
                frame = self.frame(at, turn)
                await socket.send(frame)
                sent += PER_FRAME
                self.sent += PER_FRAME
            turn += 1
        await asyncio.sleep(30)


async def main() -> None:
    rate, instruments, seconds = float(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    feed = Feed(rate, instruments, seconds)
    async with serve(feed.serve, "127.0.0.1", 0, compression=None, max_size=None) as server:
        print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print(json.dumps({"sent": feed.sent}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
