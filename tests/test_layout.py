"""What a terminal's size has room for, and where panes lie."""

from __future__ import annotations

import pytest

from kitetui.keys import PANES
from kitetui.layout import ALTERNATES, PRESETS, Box, host, layout, leaves, place

TRADE = PRESETS["trade"]
SIZES = [(300, 90), (200, 50), (160, 45), (120, 40), (110, 35), (80, 24)]


@pytest.mark.parametrize(
    ("size", "kind", "count"),
    [((200, 50), "wide", 7), ((160, 45), "wide", 7), ((159, 45), "mid", 3), ((110, 35), "mid", 3),
     ((110, 34), "narrow", 1), ((80, 24), "narrow", 1), ((79, 24), "tiny", 0),
     ((80, 23), "tiny", 0)],
)  # fmt: skip
def test_a_size_chooses_grid_columns_pane_or_sentence(
    size: tuple[int, int], kind: str, count: int
) -> None:
    chosen = layout(*size, TRADE, {}, "depth", zoomed=False)
    assert (chosen.kind, len(chosen.panes)) == (kind, count)
    assert kind == "tiny" or "depth" in chosen.panes


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("active", PANES)
@pytest.mark.parametrize("size", SIZES)
def test_the_pane_gone_to_is_shown_and_alone_when_zoomed(
    size: tuple[int, int], active: str, preset: str
) -> None:
    where = host(PRESETS[preset], active)
    guests = {where: active} if where != active else {}
    assert active in layout(*size, PRESETS[preset], guests, active, zoomed=False).panes
    assert layout(*size, PRESETS[preset], guests, active, zoomed=True).panes == {active}


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("size", SIZES)
def test_panes_fill_the_area_and_none_lies_on_another(size: tuple[int, int], preset: str) -> None:
    chosen = layout(*size, PRESETS[preset], {}, PRESETS[preset].main, zoomed=False)
    area = Box(0, 0, size[0], size[1] - 2)
    boxes = place(chosen.tree, area)
    cells = [
        (x, y)
        for box in boxes.values()
        for x in range(box.x, box.x + box.columns)
        for y in range(box.y, box.y + box.lines)
    ]
    assert len(cells) == len(set(cells)) == area.columns * area.lines
    assert all(box.columns >= 20 and box.lines >= 5 for box in boxes.values()), boxes


def test_views_of_one_instrument_take_each_others_place_and_others_the_guest_s() -> None:
    assert host(TRADE, "chart") == host(TRADE, "chain") == "depth"
    assert host(TRADE, "depth") == "depth" and host(TRADE, "lag") == "lag"
    assert host(TRADE, "news") == host(TRADE, "latency") == "events"
    guests = {"depth": "chart", "events": "news"}
    panes = layout(200, 50, TRADE, guests, "watchlist", zoomed=False).panes
    assert {"chart", "news"} <= panes and not {"depth", "events"} & panes


def test_every_preset_names_panes_that_there_are() -> None:
    for preset in PRESETS.values():
        shown = leaves(preset.wide)
        assert len(shown) == len(set(shown)) and set(shown) <= set(PANES)
        assert {preset.first, preset.main} <= set(PANES) and preset.guest in shown
        assert "alerts" in shown and preset.first != "alerts"
    assert set(ALTERNATES) <= set(PANES)


def test_the_strip_stands_for_a_queue_that_is_not_shown() -> None:
    assert layout(80, 24, TRADE, {}, "depth", zoomed=False).strip
    assert not layout(80, 24, TRADE, {}, "alerts", zoomed=False).strip
    assert not layout(200, 50, TRADE, {}, "depth", zoomed=False).strip
