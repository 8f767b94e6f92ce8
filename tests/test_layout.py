"""What a terminal's size has room for."""

from __future__ import annotations

import pytest

from kitetui.keys import PANES
from kitetui.layout import SHARED, layout


@pytest.mark.parametrize(
    ("size", "kind", "count"),
    [((200, 50), "wide", len(PANES) - len(SHARED) + 1), ((160, 45), "wide", 7),
     ((159, 45), "mid", 3), ((110, 35), "mid", 3), ((110, 34), "narrow", 1),
     ((80, 24), "narrow", 1), ((79, 24), "tiny", 0), ((80, 23), "tiny", 0)],
)  # fmt: skip
def test_a_size_chooses_grid_columns_pane_or_sentence(
    size: tuple[int, int], kind: str, count: int
) -> None:
    chosen = layout(*size, "depth", "news", zoomed=False)
    assert (chosen.kind, len(chosen.panes)) == (kind, count)
    assert kind == "tiny" or "depth" in chosen.panes


@pytest.mark.parametrize("active", PANES)
@pytest.mark.parametrize("size", [(200, 50), (120, 40), (80, 24)])
def test_the_pane_gone_to_is_shown_and_alone_when_zoomed(
    size: tuple[int, int], active: str
) -> None:
    shared = active if active in SHARED else SHARED[0]
    assert active in layout(*size, active, shared, zoomed=False).panes
    assert layout(*size, active, shared, zoomed=True).panes == {active}


def test_the_strip_stands_for_a_queue_that_is_not_shown() -> None:
    assert layout(80, 24, "depth", "events", zoomed=False).strip
    assert not layout(80, 24, "alerts", "events", zoomed=False).strip
    assert not layout(200, 50, "depth", "events", zoomed=False).strip
