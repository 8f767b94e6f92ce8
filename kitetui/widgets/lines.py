"""Lines of a pane: spans of text, each in the style of its meaning."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

Span = tuple[str, str]
"""Text and the name of its style (see `palette.styles`)."""

Line = tuple[Span, ...]


def whole(spans: Sequence[Span], width: int) -> Line:
    """The first spans that fit whole."""
    out: list[Span] = []
    for text, style in spans:
        width -= cell_len(text)
        if width < 0:
            break
        out.append((text, style))
    return tuple(out)
