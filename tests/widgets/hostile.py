"""Snapshots in which every text from outside is what a terminal or a markup parser would obey."""

from __future__ import annotations

from typing import Any, get_type_hints

import msgspec

from kitetui.engine import snapshot as view
from tests.widgets import views

EVIL = (
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[H\x1b[31mred",
    "\x1bP+q544e\x1b\\",
    "\x9b31m\x9d0;title\x9c",
    "[bold red]x[/bold red][@click=app.quit]y[/]",
    "a\r\nb\tc\x00\x08\x7f",
    "\u202eevil\u2066\u200b\u200d\ufeff",
    "e" + "\u0301" * 60,
    "👨‍👩‍👧‍👦🇮🇳" * 8,
    "S" * 200,
    "𝕏\U000e0041\ue000\ud7ff",
    "日本語の名前" * 10,
)
"""One of each kind that has broken a screen somewhere."""


def snapshots() -> list[view.Snapshot]:
    """Pictures with each of them in every text."""
    base = views.snapshot(
        news=(view.NewsItem(at_s=int(views.NOW_S), title="t", source="s", link="u",
                            symbols=("S",), sentiment=0.5),),
        board=(views.board_line(),),
        chart=view.Chart(1, (view.Candle(int(views.NOW_S), 1.0, 2.0, 0.5, 1.5, 10, 1.2, False),),
                         True, 1.0, 1.8, 0.6, (view.Mark(int(views.NOW_S), 1, "P1", "p"),)),
        ingestion=view.Ingestion((view.Stage("s", 1.0, 1.0, 1.0, 1.0, (1,) * 10),), (("c", 1),),
                                 ("gap",)),
        explained=("x", "y"), silences=("x",), listed=("x", "y"), found=(("x", 1),),
    )  # fmt: skip
    return [_poisoned(base, evil) for evil in EVIL]


def _poisoned(value: Any, evil: str) -> Any:
    if isinstance(value, msgspec.Struct):
        hints = get_type_hints(type(value))
        changes = {}
        for name in value.__struct_fields__:
            held = getattr(value, name)
            if hints[name] is str and name not in ("alert_id", "timeframe", "mode"):
                changes[name] = evil
            elif isinstance(held, (msgspec.Struct, tuple, dict)):
                changes[name] = _poisoned(held, evil)
        return msgspec.structs.replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(evil if isinstance(one, str) else _poisoned(one, evil) for one in value)
    if isinstance(value, dict):
        return {evil if name not in _KNOWN else name: one for name, one in value.items()}
    return value


_KNOWN = {"bid_pulled", "bid_stacked", "ask_pulled", "ask_stacked", "ofi"}
