"""A list that goes from one engine to the next: written where it changed, never written over."""

from __future__ import annotations

from pathlib import Path

import pytest

from kitetui.engine.day.own_choices import OwnChoices, SavedThreshold
from kitetui.engine.flow.pipeline import Pipeline
from kitetui.engine.sinks.list_file import ListFile
from kitetui.places import places
from kitetui.settings import Settings


async def test_what_is_kept_is_read_again_and_is_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    items = [SavedThreshold("a", "1", "x"), SavedThreshold("b", "2", "y")]
    await ListFile(path, SavedThreshold).keep(items)
    assert ListFile(path, SavedThreshold).read() == items
    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["list.json"]


async def test_what_cannot_be_understood_is_put_aside_and_not_written_over(
    tmp_path: Path, settings: Settings
) -> None:
    where = places(tmp_path / "s", "default")
    where.thresholds.write_text('[{"key": "a",]')
    said: list[str] = []
    choices = OwnChoices(where, Pipeline(settings, 8), lambda _, text: said.append(text))
    assert choices.from_before(0) == []
    await choices.keep()
    assert where.thresholds.read_text() == "[]"
    assert where.thresholds.with_suffix(".unreadable").read_text() == '[{"key": "a",]'
    assert len(said) == 1 and "it is thresholds.unreadable now" in said[0]


async def test_one_that_cannot_be_written_keeps_no_other_from_it(
    tmp_path: Path, settings: Settings
) -> None:
    where = places(tmp_path / "s", "default")
    where.rules.with_name("rules.json.fresh").mkdir()
    said: list[str] = []
    choices = OwnChoices(where, Pipeline(settings, 8), lambda _, text: said.append(text))
    for _ in range(3):
        await choices.keep()
    assert where.thresholds.exists()
    assert len(said) == 1 and said[0].startswith("rules cannot be written down: ")


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b"[1]"])
def test_any_other_content_is_an_error_with_the_files_name(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "list.json"
    path.write_bytes(data)
    with pytest.raises(OSError, match="cannot be understood") as refused:
        ListFile(path, SavedThreshold).read()
    assert refused.value.filename == str(path)
