"""The track record: every firing and outcome once, in the ledger and on the board."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from kitetui.cli.main import cli
from kitetui.config import load
from kitetui.engine.alerts.gate import Exit
from kitetui.engine.flow.derived import Derived
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.flow.track_record import TrackRecord, pattern_hashes
from kitetui.engine.sinks.ledger import Ledger
from tests.samples import MONDAY_OPEN_S, market_day, split

EASY = load(overrides=["alerts.min_confidence=0.6", "thresholds.volume_spike.min_bars=2",
                       "thresholds.volume_spike.params.min_robust_z=-9.0",
                       "thresholds.volume_spike.params.min_ratio=0.1",
                       "thresholds.volume_spike.horizon_bars=3"])  # fmt: skip
FAR = 1 << 15
HASHES = set(pattern_hashes(EASY.patterns).values())


def live(folder: Path) -> tuple[TrackRecord, list[Derived]]:
    """A simulated half-hour into a ledger; what was derived."""
    pipeline = Pipeline(EASY, 200)
    record = TrackRecord(pipeline, Ledger(folder, 60))
    told = []
    day = market_day(minutes=40)
    for batch in split(day, range(0, len(day), 200)):
        told.append(pipeline.apply(batch))
        record.take(told[-1])
    record.close()
    return record, told


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrackRecord, list[Derived]]:
    folder = tmp_path_factory.mktemp("ledger")
    return folder, *live(folder)


def test_every_firing_and_every_outcome_is_written_once(
    run: tuple[Path, TrackRecord, list[Derived]],
) -> None:
    folder, _, told = run
    kept = Ledger(folder, 60).kept(FAR, 60, HASHES)
    fired = [f for derived in told for f in derived.fired]
    assert len(kept) == sum(len(f.fired.hits) for f in fired) > 100
    ways = [Exit(way).name.lower() for f in fired for way in f.exit.tolist()]
    assert sorted(line.exit for line in kept) == sorted(ways)
    assert "admitted" in ways and "low_confidence" in ways
    settled = sum(len(r.number) for derived in told for r in derived.resolved)
    assert sum(line.outcome != "" for line in kept) == settled > 50


def test_the_board_counts_what_the_ledger_holds(
    run: tuple[Path, TrackRecord, list[Derived]],
) -> None:
    folder, record, _ = run
    kept = [line for line in Ledger(folder, 60).kept(FAR, 60, HASHES) if line.outcome]
    assert record.lines
    assert sum(line.n + line.unresolvable for line in record.lines) == len(kept)
    assert sum(line.hits for line in record.lines) == sum(k.outcome == "target" for k in kept)


def test_the_same_day_taken_in_again_changes_nothing(
    run: tuple[Path, TrackRecord, list[Derived]],
) -> None:
    folder, _, _ = run
    before = repr(Ledger(folder, 60).kept(FAR, 60, HASHES))
    live(folder)
    assert repr(Ledger(folder, 60).kept(FAR, 60, HASHES)) == before


def test_the_next_day_begins_with_what_is_kept(
    run: tuple[Path, TrackRecord, list[Derived]],
) -> None:
    folder, record, told = run
    pipeline = Pipeline(EASY, 200)
    pipeline.apply(market_day(minutes=1).part(0, 5))
    tomorrow = TrackRecord(pipeline, Ledger(folder, 60))
    late = next(f for derived in told for f in derived.fired)
    late.fired.start += 1440
    tomorrow.take(Derived(fired=[late]))
    tomorrow.close()
    late.fired.start -= 1440
    assert sum(line.n for line in tomorrow.lines) == sum(line.n for line in record.lines)


def test_any_firing_is_explained_on_the_command_line(
    run: tuple[Path, TrackRecord, list[Derived]], tmp_path: Path
) -> None:
    folder, _, told = run
    state = tmp_path / "state"
    asked = CliRunner().invoke(cli, ["explain", "00ff", "--state", str(state)])
    assert asked.exit_code == 1 and "no firing 00ff" in asked.output
    (state / "ledger").rmdir()
    (state / "ledger").symlink_to(folder)
    alert = next(a for derived in told for a in derived.alerts)
    done = CliRunner().invoke(cli, ["explain", alert.alert_id.upper(), "--state", str(state)])
    assert done.exit_code == 0, done.output
    assert alert.symbol in done.output and "times the usual volume" in done.output
    assert "gate        told" in done.output and "outcome " in done.output
    assert "Limits: min_ratio 0.1" in done.output  # as it was then, whatever the files say today
    entries = (Ledger(folder, 60).find(f"{digit:x}") for digit in range(16))
    weak = next(one for found in entries for one in found if one.exit == "low_confidence")
    command = ["explain", weak.alert.alert_id, "--state", str(state)]
    assert "were others then" in CliRunner().invoke(cli, command).output
    same = [
        f"--set=thresholds.volume_spike.{key}"
        for key in (
            "min_bars=2",
            "params.min_robust_z=-9.0",
            "params.min_ratio=0.1",
            "horizon_bars=3",
        )
    ]
    assert "Limits: min_ratio 0.1" in CliRunner().invoke(cli, command + same).output
    wrong = CliRunner().invoke(cli, ["explain", "xyz\x1b[31m", "--state", str(state)])
    assert wrong.exit_code == 78 and "is no alert id" in wrong.output and "\x1b" not in wrong.output
    assert alert.at_s > MONDAY_OPEN_S


def test_stopping_waits_for_the_thread_that_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that is cancelled leaves its thread behind: both must not write the same batch."""
    pipeline = Pipeline(EASY, 200)
    record = TrackRecord(pipeline, Ledger(tmp_path, 60))
    day = market_day(minutes=20)
    for batch in split(day, range(0, len(day), 200)):
        record.take(pipeline.apply(batch))
    entered = threading.Event()
    write = Ledger.write

    def slowly(self: Ledger, *given: Any) -> None:
        entered.set()
        time.sleep(0.05)
        write(self, *given)

    monkeypatch.setattr(Ledger, "write", slowly)
    working = threading.Thread(target=record._work)
    working.start()
    assert entered.wait(5)
    record.close()
    working.join()
    fired = pipeline.gate.counts.candidates
    assert len(Ledger(tmp_path, 60).kept(FAR, 60, HASHES)) == fired > 0
