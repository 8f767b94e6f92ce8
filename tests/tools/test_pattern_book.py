"""`kitetui patterns`: the handbook is made of the detectors, and every number has its sentence."""

from __future__ import annotations

import re
from pathlib import Path

from kitetui.settings import Settings
from kitetui.tools.pattern_book import as_markdown
from tests.programs import kitetui

DOCS = Path(__file__).parent.parent.parent / "docs" / "patterns.md"


def test_the_handbook_is_what_is_printed(settings: Settings) -> None:
    told = "run: kitetui patterns --markdown > docs/patterns.md"
    assert DOCS.read_text(encoding="utf-8") == as_markdown(settings.patterns), told


def test_every_pattern_is_in_it_and_every_number_has_a_sentence(settings: Settings) -> None:
    text = as_markdown(settings.patterns)
    assert re.findall(r"^## (\w+)$", text, re.M) == sorted(settings.patterns)
    assert len(settings.patterns) == 21
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \| (.*) \|$", text, re.M)
    assert len(rows) > 300
    assert [row for row in rows if not row[2].strip()] == []


def test_one_pattern_is_told_with_the_values_in_force(tmp_path: Path) -> None:
    asked = ("patterns", "volume_spike", "--set", "thresholds.volume_spike.params.min_ratio=7")
    said = kitetui(tmp_path, *asked).stdout
    assert re.search(r"^min_ratio +7  times the usual volume of that minute$", said, re.M)
    refused = kitetui(tmp_path, "patterns", "volumespike")
    assert refused.returncode == 1 and "no such pattern; volume_spike" in refused.stderr
    assert len(kitetui(tmp_path, "patterns").stdout.splitlines()) == 21
