"""A short run of kills; `make chaos` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.kills import run

pytestmark = pytest.mark.e2e


def test_nothing_is_lost_invented_or_doubled_by_kills(tmp_path: Path) -> None:
    found = run(tmp_path, times=8, seed=7)
    assert found.violations == []
    assert found.kills == 8 and found.acked > 0 and found.alerts > 0
    assert found.journalled >= found.in_redis > 5_000 and found.bars > 100
