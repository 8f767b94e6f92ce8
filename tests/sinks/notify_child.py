"""A notifier with five urgent notices, killed by its parent while it sends."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from kitetui.engine.alerts.alert import Priority
from tests.sinks.telegram_server import FakeTelegram
from tests.sinks.test_notify import Bench, notice


async def main() -> None:
    fake = FakeTelegram([])
    fake.url = sys.argv[2]
    bench = Bench(Path(sys.argv[1]), fake)
    bench.notifier.take([notice(n, Priority.P1) for n in range(5)])
    await bench.task


asyncio.run(main())
