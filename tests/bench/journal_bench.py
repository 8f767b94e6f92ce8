"""The recording: what it costs, what it takes on the disk, how fast it is played and opened."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec

from kitetui.config import load
from kitetui.engine.day.restart import Keeper, Restart, made_by
from kitetui.engine.feed.records import Kind, RecordBatch
from kitetui.engine.feed.replay import Replay, ReplaySource
from kitetui.engine.flow.intake import Intake
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.engine.sinks.journal_packer import pack
from kitetui.engine.sinks.keyframes import Keyframes
from kitetui.engine.sinks.tick_archive import archive_ticks
from kitetui.engine.state import thaw
from tests.bench.load import PACKETS_A_SECOND, ROWS, SIZE, announced, batches
from tests.bench.measure import Result
from tests.bench.wire_bench import frames, official_parser
from tests.samples import MONDAY_OPEN_S, market_day, split

OFFICIAL_K_S = 73.0
"""Full packets a second of the official parser, in thousands, where the targets were set."""
SOME = 400
PLAYED = 2_000
MARKET_MINUTES = 20
DAY_TICKS, DAY_S, LISTED = 10_000_000, 375 * 60, 1_000
HOUR, HOUR_S = "14:00", 285 * 60
KEPT_S = HOUR_S - 585
"""Where the last keyframe before the hour was made: nearly as far off as it can be."""


def run() -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _written(Path(folder))
        yield from _archived(Path(folder))
        yield from _played(Path(folder))
        yield from _opened(Path(folder))


def _written(folder: Path) -> Iterator[Result]:
    """Bytes and time of live journals, at batches of 500 and of 100 packets."""
    work = list(batches(SOME))
    path = folder / "500.arrows"
    journal = JournalWriter(path, load().journal)
    began = time.perf_counter()
    for batch in work:
        journal.write(batch, 1)
    a_tick_s = (time.perf_counter() - began) / SOME / SIZE
    journal.close()
    share = a_tick_s * PACKETS_A_SECOND * 100
    yield Result("journal, of the engine's time at Kite's 36,000 ticks/s", "%", share, None,
                 "<=5", share <= 5)  # fmt: skip
    yield _size("journal, a full tick, batches of 500 (random books)", path, SOME * SIZE)
    path = folder / "100.arrows"
    journal = JournalWriter(path, load().journal)
    for batch in work:
        for part in split(batch, range(0, len(batch), 2)):  # 50 packets a frame
            journal.write(part, 1)
    journal.close()
    yield _size("the same at 5,000 ticks/s: batches of 100", path, SOME * SIZE)


def _size(work: str, path: Path, ticks: int, limit: int = 100) -> Result:
    size = path.stat().st_size / ticks
    return Result(work, "B", size, None, f"<={limit}", size <= limit)


def _archived(folder: Path) -> Iterator[Result]:
    """The simulated market's ticks, journalled frame by frame, packed and archived."""
    whole = market_day(minutes=MARKET_MINUTES)
    ticks = sum((p[0] << 8) | p[1] for k, p in zip(whole.kind, whole.payload, strict=True)
                if k == Kind.FRAME and len(p) > 1)  # fmt: skip
    path = folder / "quiet.arrows"
    journal = JournalWriter(path, load().journal)
    for part in split(whole, range(len(whole))):
        journal.write(part, 1)
    journal.close()
    loose = path.stat().st_size / ticks
    pack(path)
    size = path.stat().st_size / ticks
    yield Result("closed journal of single frames, packed (peer: as written)", "B", size, loose,
                 "<=100", size <= 100)  # fmt: skip
    began = time.perf_counter()
    made = archive_ticks([path], folder / "ticks" / "2025-12-15.parquet", date(2025, 12, 15), {})
    spent = time.perf_counter() - began
    yield _size("archive, a tick of the simulated market", made.path, made.ticks, 45)
    yield Result("archive, made and checked", "k ticks/s", made.ticks / spent / 1e3, None, "", None)


def _played(folder: Path) -> Iterator[Result]:
    """A journal through the engine's intake, beside the official parser alone."""
    parse = official_parser()
    tens = frames(10, (184,))
    path = folder / "played.arrows"
    journal = JournalWriter(path, load().journal)
    journal.write(announced(), 1)
    for batch in batches(PLAYED):
        journal.write(batch, 1)
    journal.close()
    pipeline = Pipeline(load(), ROWS)
    official: list[float] = []

    async def play() -> float:
        intake = Intake(load().batch, pipeline, lambda batch: None, lambda batch, derived: None)
        source = ReplaySource(Replay((path,)), intake, lambda: pipeline.session_s)
        began = time.perf_counter()
        await source.play()
        return time.perf_counter() - began

    spent = asyncio.run(play())
    if parse:
        for _ in range(20):
            began = time.perf_counter()
            for frame in tens:
                parse(frame)
            official.append(time.perf_counter() - began)
    peer = len(official) * SIZE / sum(official) / 1e3 if official else None
    scale = min(peer / OFFICIAL_K_S, 1.0) if peer else 1.0
    rate = PLAYED * SIZE / spent / 1e3
    yield Result("replay without sinks, 9,000 instruments (official parser)", "k ticks/s", rate,
                 peer, f">={300 * scale:.0f}", rate >= 300 * scale)  # fmt: skip


def _opened(folder: Path) -> Iterator[Result]:
    """14:00 of a day of ten million ticks of 1,000 instruments, as it is recorded."""
    settings = load()
    path = folder / "day" / "20251215-091500-000001-7.000.arrows"
    path.parent.mkdir()
    per_s = DAY_TICKS / DAY_S
    keeper = Keeper(folder / "checkpoint.bin", settings, folder / "keyframes")

    async def record() -> None:
        writer = JournalWriter(path, msgspec.structs.replace(settings.journal, segment_mb=4096))
        pipeline = Pipeline(settings, LISTED + 256)
        intake = Intake(settings.batch, pipeline, lambda batch: None, lambda batch, derived: None)
        restart = Restart(path.parent, b"", MONDAY_OPEN_S, keeper)
        work: Iterator[RecordBatch] = batches(
            DAY_TICKS // SIZE, start_s=MONDAY_OPEN_S, listed=LISTED, per_s=per_s
        )
        first = announced(LISTED)
        writer.write(first, 1)
        await intake.play(first)
        kept = False
        for batch in work:
            writer.write(batch, 1)
            if kept:
                continue
            await intake.play(batch)
            kept = pipeline.session_s >= MONDAY_OPEN_S + KEPT_S
            if kept:
                reached = batch.kept.place, pipeline.session_s
                await restart.keep(intake, lambda: None, {"pipeline": pipeline},
                                   lambda reached=reached: reached, MONDAY_OPEN_S)  # fmt: skip
        writer.close()

    asyncio.run(record())

    async def open_hour() -> float:
        pipeline = Pipeline(settings, LISTED + 256)
        intake = Intake(settings.batch, pipeline, lambda batch: None, lambda batch, derived: None)
        began = time.perf_counter()
        journals = {one.name: one for one in sorted(path.parent.iterdir())}
        played = Replay(tuple(journals.values()), 1.0, HOUR)
        source = ReplaySource(played, intake, lambda: pipeline.session_s)
        found = Keyframes(folder / "keyframes").before(HOUR, journals, made_by(settings))
        for place, state in found:
            thaw({"pipeline": pipeline}, state)
            source.begin_behind(place)
            break
        task = asyncio.create_task(source.play())
        while pipeline.session_s < MONDAY_OPEN_S + HOUR_S:
            await asyncio.sleep(0.002)
        spent = time.perf_counter() - began
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return spent

    spent = asyncio.run(open_hour())
    yield Result(f"opening {HOUR} of a day of 10 M ticks", "s", spent, None, "<1", spent < 1)
