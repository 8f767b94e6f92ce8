"""Which panes a terminal's size has room for, and where each of them lies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Union

WIDE, MID, NARROW = (160, 45), (110, 35), (80, 24)
"""Least columns and lines of the full grid, of two columns, of one pane."""
STRIP_MID = 11
"""Lines of the alert queue below two columns."""

Node = Union[str, "Split"]
"""A pane, or an area that is split."""


class Split(NamedTuple):
    """An area that is split into parts.

    Attributes:
        across: side by side, else one above the other.
        parts: size and content of each: whole numbers are cells, fractions shares of what is left.
    """

    across: bool
    parts: tuple[tuple[int | float, Node], ...]


class Box(NamedTuple):
    """Where a pane lies, in cells."""

    x: int
    y: int
    columns: int
    lines: int


def side_by_side(*parts: tuple[int | float, Node]) -> Split:
    """Columns."""
    return Split(True, parts)


def stacked(*parts: tuple[int | float, Node]) -> Split:
    """Rows."""
    return Split(False, parts)


class Preset(NamedTuple):
    """An arrangement for a purpose.

    Attributes:
        tells: what it is for.
        wide: the full grid.
        first, main: the two columns of a middling screen, above the alerts.
        guest: the pane whose place is taken by one that has none.
    """

    tells: str
    wide: Node
    first: str
    main: str
    guest: str


PRESETS = {
    "trade": Preset(
        "one instrument, its book and its volume, beside everything else",
        stacked(
            (1.0, side_by_side(
                (0.31, "watchlist"), (0.37, "depth"),
                (0.32, stacked((12, "buckets"), (1.0, "streams"), (9, "lag"))),
            )),
            (14, side_by_side((0.68, "alerts"), (0.32, "events"))),
        ),
        "watchlist", "depth", "events",
    ),
    "options": Preset(
        "the chain of the instrument's underlying",
        stacked(
            (1.0, side_by_side(
                (0.2, "watchlist"), (0.5, "chain"),
                (0.3, stacked((0.6, "depth"), (0.4, "buckets"))),
            )),
            (12, side_by_side((0.68, "alerts"), (0.32, "events"))),
        ),
        "watchlist", "chain", "events",
    ),
    "feed": Preset(
        "what comes in, and how fast it goes through",
        stacked(
            (1.0, side_by_side((0.31, "watchlist"), (0.37, "latency"), (0.32, "events"))),
            (14, side_by_side((0.68, "alerts"), (0.32, "server"))),
        ),
        "watchlist", "latency", "events",
    ),
    "redis": Preset(
        "streams, consumers and the server",
        stacked(
            (1.0, side_by_side(
                (0.62, stacked((0.6, "streams"), (0.4, "lag"))), (0.38, "server"),
            )),
            (12, side_by_side((0.62, "alerts"), (0.38, "events"))),
        ),
        "streams", "server", "events",
    ),
    "alerts": Preset(
        "the queue, and how good it was",
        stacked(
            (0.55, "alerts"),
            (0.45, side_by_side((0.64, "scoreboard"), (0.36, stacked((0.5, "news"),
                                                                     (0.5, "events"))))),
        ),
        "scoreboard", "depth", "events",
    ),
    "replay": Preset(
        "a day's chart, with what was seen in it",
        stacked(
            (1.0, side_by_side((0.22, "watchlist"), (0.46, "chart"), (0.32, "depth"))),
            (12, side_by_side((0.68, "alerts"), (0.32, "events"))),
        ),
        "watchlist", "chart", "events",
    ),
}  # fmt: skip
ALTERNATES = ("depth", "chart", "chain")
"""Views of one instrument: any of them takes another's place."""


class Layout(NamedTuple):
    """What is shown.

    Attributes:
        kind: `wide`, `mid`, `narrow`, or `tiny` where there is room for a sentence only.
        tree: how the grid is split.
        strip: whether the newest alerts have lines of their own.
    """

    kind: Literal["wide", "mid", "narrow", "tiny"]
    tree: Node
    strip: bool

    @property
    def panes(self) -> frozenset[str]:
        """The visible ones, none where it is `tiny`."""
        return frozenset() if self.kind == "tiny" else frozenset(leaves(self.tree))


def layout(columns: int, lines: int, preset: Preset, guests: Mapping[str, str], active: str, *,
           zoomed: bool) -> Layout:  # fmt: skip
    """The layout for a terminal.

    Args:
        guests: panes by the one whose place they have; active: the pane with the focus.
    """

    def fits(least: tuple[int, int]) -> bool:
        return columns >= least[0] and lines >= least[1]

    kind: Literal["wide", "mid", "narrow", "tiny"] = (
        "wide" if fits(WIDE) else "mid" if fits(MID) else "narrow" if fits(NARROW) else "tiny"
    )
    tree: Node = active
    if kind == "wide" and not zoomed:
        tree = _occupied(preset.wide, guests)
    elif kind == "mid" and not zoomed:
        main = active
        if active in (preset.first, "alerts"):
            main = guests.get(preset.main, preset.main)
        tree = stacked((1.0, side_by_side((0.4, preset.first), (0.6, main))),
                       (STRIP_MID, "alerts"))  # fmt: skip
    return Layout(kind, tree, strip=kind == "narrow" and active != "alerts")


def host(preset: Preset, pane: str) -> str:
    """The pane whose place another one takes: its own where it has one."""
    homes = set(leaves(preset.wide))
    if pane in homes:
        return pane
    if pane in ALTERNATES:
        return next((other for other in ALTERNATES if other in homes), preset.guest)
    return preset.guest


def leaves(node: Node) -> list[str]:
    """The panes of a tree."""
    if isinstance(node, str):
        return [node]
    return [pane for _, part in node.parts for pane in leaves(part)]


def place(node: Node, box: Box) -> dict[str, Box]:
    """Where the panes of a tree lie in an area; the last of shares takes what is left over."""
    if isinstance(node, str):
        return {node: box}
    length = box.columns if node.across else box.lines
    free = max(length - sum(size for size, _ in node.parts if isinstance(size, int)), 0)
    whole = sum(size for size, _ in node.parts if isinstance(size, float)) or 1.0
    out: dict[str, Box] = {}
    begin, share = 0, 0.0
    for size, part in node.parts:
        if isinstance(size, int):
            long = min(size, max(length - begin, 0))
        else:
            long = round(free * (share + size) / whole) - round(free * share / whole)
            share += size
        if node.across:
            inner = Box(box.x + begin, box.y, long, box.lines)
        else:
            inner = Box(box.x, box.y + begin, box.columns, long)
        out |= place(part, inner)
        begin += long
    return out


def _occupied(node: Node, guests: Mapping[str, str]) -> Node:
    if isinstance(node, str):
        return guests.get(node, node)
    return node._replace(parts=tuple((size, _occupied(part, guests)) for size, part in node.parts))
