"""What takes long to load, and no start needs: loaded when something of it is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kitetui.engine.late import Late


def test_a_late_module_is_loaded_once_and_when_asked() -> None:
    loads: list[str] = []

    def load() -> object:
        loads.append("loaded")
        return sys

    late = Late(load)
    assert loads == []
    assert late.maxsize == late.maxsize == sys.maxsize and loads == ["loaded"]
    with pytest.raises(AttributeError):
        late.no_such_thing  # noqa: B018 - asking is the point


def test_an_engine_is_there_before_what_it_only_needs_later() -> None:
    later = ("redis", "websockets", "httpx", "pyarrow.compute", "pyarrow.parquet", "textual")
    told = subprocess.run(
        [sys.executable, "-c", "import sys, kitetui.cli.main, kitetui.engine.runtime\n"
         f"print([name for name in {later} if name in sys.modules])"],
        text=True, capture_output=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "[]"
