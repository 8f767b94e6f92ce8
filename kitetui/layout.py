"""Which panes a terminal's size has room for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from kitetui.keys import PANES

WIDE, MID, NARROW = (160, 45), (110, 35), (80, 24)
"""Least columns and lines of the full grid, of two columns, of one pane."""
MID_PANES = ("watchlist", "alerts")
SHARED = ("events", "scoreboard", "news", "server")
"""Panes that share a place where all are shown: the one last gone to has it."""


class Layout(NamedTuple):
    """What is shown.

    Attributes:
        kind: `wide`, `mid`, `narrow`, or `tiny` where there is room for a sentence only.
        panes: the visible ones, none where it is `tiny`; solo: one has the whole grid.
        strip: whether the newest alerts have lines of their own.
    """

    kind: Literal["wide", "mid", "narrow", "tiny"]
    panes: frozenset[str]
    solo: bool
    strip: bool


def layout(columns: int, lines: int, active: str, shared: str, *, zoomed: bool) -> Layout:
    """The layout for a terminal.

    Args:
        active: the pane with the focus; shared: the one of `SHARED` that was last gone to.
    """

    def fits(least: tuple[int, int]) -> bool:
        return columns >= least[0] and lines >= least[1]

    kind: Literal["wide", "mid", "narrow", "tiny"] = (
        "wide" if fits(WIDE) else "mid" if fits(MID) else "narrow" if fits(NARROW) else "tiny"
    )
    solo = zoomed or kind in ("narrow", "tiny")
    if kind == "tiny":
        panes = set()
    elif solo:
        panes = {active}
    elif kind == "mid":
        panes = {*MID_PANES, active if active not in MID_PANES else "depth"}
    else:
        panes = {name for name in PANES if name not in SHARED or name == shared}
    strip = kind == "narrow" and active != "alerts"
    return Layout(kind, frozenset(panes), solo, strip)
