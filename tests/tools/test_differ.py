"""Where two runs part, for whoever changed a threshold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from kitetui.cli.main import cli
from kitetui.engine.sinks.journal import JournalWriter
from kitetui.settings import Settings
from tests.samples import market_day, split

LOOSE = ("--set", "alerts.min_confidence=0.0", "--set", "thresholds.volume_spike.min_bars=2",
         "--set", "thresholds.volume_spike.params.min_ratio=0.5",
         "--set", "thresholds.volume_spike.params.min_robust_z=-9.0")  # fmt: skip
STRICT = ("--other", "thresholds.volume_spike.params.min_ratio=1.6")


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from kitetui.config import load

    whole = market_day(minutes=14)
    path = tmp_path_factory.mktemp("day") / "day.arrows"
    writer = JournalWriter(path, load().journal)
    for part in split(whole, range(0, len(whole), 20)):
        writer.write(part, 0)
    writer.close()
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["diff", *arguments])


def test_the_same_run_is_the_same(journal: Path, tmp_path: Path) -> None:
    said = run(str(journal), str(journal.parent), *LOOSE)
    assert said.exit_code == 0, said.output
    assert "the runs are the same" in said.output
    exported = CliRunner().invoke(cli, ["export", str(journal), "--to", str(tmp_path), *LOOSE])
    assert exported.exit_code == 0
    assert json.loads(exported.output)["alerts"] > 3
    assert run(str(tmp_path), str(journal), *LOOSE).exit_code == 0


def test_a_changed_threshold_is_seen_where_it_begins(journal: Path) -> None:
    said = run(str(journal), *LOOSE, *STRICT, "--json")
    assert said.exit_code == 1, said.output
    found = json.loads(said.output)
    loose, strict = found["only"]
    assert loose and found["bars"] == 0
    assert found["first"] == min(
        a["at_s"] for a in loose + strict + [c[0] for c in found["changed"]]
    )
    words = run(str(journal), *LOOSE, *STRICT)
    assert "they part at" in words.output and f"only in {journal}" in words.output
    assert "volume_spike" in words.output


def test_what_is_no_run_is_said(tmp_path: Path, journal: Path, settings: Settings) -> None:
    assert run(str(journal)).exit_code == 2
    for wrong in (tmp_path / "none.arrows", tmp_path):
        said = run(str(wrong), str(journal))
        assert said.exit_code == 78 and str(wrong) in said.output, said.output
        assert "Traceback" not in said.output
    (tmp_path / "bars.parquet").write_bytes(b"PAR1 no")
    said = run(str(tmp_path), str(journal))
    assert said.exit_code == 78 and "is no export" in said.output, said.output
