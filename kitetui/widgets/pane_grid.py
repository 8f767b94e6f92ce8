"""The area of the panes, split as the layout says."""

from __future__ import annotations

from textual.containers import Container
from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

from kitetui.layout import Box, Node, leaves, place


class _Placed(Layout):
    """Panes where a tree has them."""

    name = "placed"

    def __init__(self, tree: Node) -> None:
        self.tree = tree

    def arrange(self, parent: Widget, children: list[Widget], size: Size,
                greedy: bool = True) -> ArrangeResult:  # fmt: skip
        parent.pre_layout(self)
        boxes = place(self.tree, Box(0, 0, size.width, size.height))
        return [
            WidgetPlacement(Region(*boxes[child.id]), NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id in boxes
        ]


class PaneGrid(Container):
    """Shows the panes of a tree, and only those."""

    def __init__(self, *children: Widget, id: str | None = None) -> None:
        super().__init__(*children, id=id)
        self._placed = _Placed("")

    @property
    def layout(self) -> Layout:
        """Where the panes lie."""
        return self._placed

    def split(self, tree: Node) -> None:
        """Show other panes, or the same elsewhere."""
        if self._placed.tree == tree:
            return
        shown = set(leaves(tree))
        self._placed = _Placed(tree)
        for child in self.children:
            child.display = child.id in shown
        self.refresh(layout=True)
