"""The plugin of docs/plugins.md, installed as a package of its own, and what a broken one gets."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.golden.series import read_csv

ROOT = Path(__file__).parent.parent.parent
DOCS = (ROOT / "docs" / "plugins.md").read_text()
BARS = ROOT / "tests" / "golden" / "ours" / "fired.csv"


def installed(folder: Path, source: str, name: str = "inside_bars") -> Path:
    """A package as pip would leave it: a module, and metadata with its entry point."""
    site = folder / "site"
    metadata = site / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{name}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[kitetui.detectors]\n{name} = {name}\n")
    return site


def study(site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kitetui", "study", str(BARS), *arguments], capture_output=True,
        text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(site)}, check=False,
    )  # fmt: skip


def block(language: str, begins: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    return next(text for text in found if text.startswith(begins))


def test_the_example_of_the_documentation_fires_and_is_followed(tmp_path: Path) -> None:
    site = installed(tmp_path, block("python", "# inside_bars.py"))
    config = tmp_path / "config"
    config.mkdir()
    (config / "thresholds.yaml").write_text(block("yaml", "# thresholds.yaml"))
    done = study(site, "--config", str(config), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    lines = read_csv(tmp_path / "out" / "fired.signals.csv")
    mine = [line for line in lines if line["pattern"] == "inside_bar"]
    assert mine and {line["side"] for line in mine} <= {"1", "-1"}
    assert any(line["outcome"] for line in mine)
    board = read_csv(tmp_path / "out" / "fired.scoreboard.csv")
    assert "inside_bar" in [line["pattern"] for line in board]


@pytest.mark.parametrize(
    ("source", "told"),
    [("import nothing_of_the_kind", "cannot be loaded: ModuleNotFoundError"),
     ("x = 1", "registers no detector"),
     ("from kitetui.engine.patterns.registry import detector\n"
      "@detector('breakout', evidence=(), params=(), words='')\ndef mine(view, settings): ...",
      "a pattern is called breakout already")],
)  # fmt: skip
def test_a_broken_plugin_is_named_with_its_package(tmp_path: Path, source: str, told: str) -> None:
    done = study(installed(tmp_path, source, "broken"))
    assert done.returncode == 78 and "Traceback" not in done.stderr
    assert "plugin broken of broken" in done.stderr and told in done.stderr
