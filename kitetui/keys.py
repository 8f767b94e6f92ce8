"""One table of keys: bindings, footer, help, palette and docs all come from it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import NamedTuple

from textual.binding import Binding
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, format_key


class Key(NamedTuple):
    """One action an operator can take by key.

    Attributes:
        keys: Textual key names, comma separated; the first is shown.
        id: stable name, for remapping; what stands before the point is its section of the help.
        action: Textual action.
        label: a word for the footer; '' keeps it out of there.
        help: a sentence.
        where: panes in which it is taken; none for everywhere.
    """

    keys: str
    id: str
    action: str
    label: str
    help: str
    where: tuple[str, ...] = ()


PANES = ("watchlist", "depth", "buckets", "streams", "lag", "alerts", "events",
         "scoreboard", "news", "server", "chart", "chain", "latency")  # fmt: skip
NUMBERED = 10
"""So many of the panes have a number key, 1 to 9 and then 0; the others are reached by name."""

REDIS = ("streams", "lag", "server")

NEVER = "<none>"
"""A key that never arrives: Textual keeps the default where it is given nothing."""

SECTIONS = {"alert": "Alerts", "pane": "Panes", "cursor": "Cursor", "watch": "Watchlist",
            "depth": "Depth", "buckets": "Buckets", "chart": "Chart", "chain": "Option chain",
            "redis": "Redis", "replay": "Replay", "app": "Screen"}  # fmt: skip
"""Sections of the help, by what an id begins with."""

KEYS = (
    Key("a", "alert.ack", "acknowledge", "ack", "Acknowledge the alert under the cursor, as shown"),
    Key("A", "alert.ack_all", "acknowledge_all", "", "Acknowledge all alerts on the screen"),
    Key(
        "m",
        "alert.mark",
        "mark",
        "mark",
        "Mark the alert: acknowledging takes all that are marked",
        ("alerts",),
    ),
    Key("u", "alert.undo", "undo", "undo", "Take back your last acknowledgement (30 s)"),
    Key("n", "alert.next", "next_unacked", "next alert", "Go to the next unacknowledged alert"),
    Key("x", "alert.shelve", "shelve", "shelve", "Shelve the alert for a while"),
    Key("X", "alert.unshelve", "unshelve", "", "Take the alert from its shelf"),
    Key("e", "alert.explain", "explain", "why", "Why: the alert under the cursor, in words"),
    Key("i", "alert.silence", "silence", "", "Idle patterns: what keeps them from firing"),
    Key("H", "alert.history", "history", "", "History: the day's alerts, searched by typing"),
    Key("B", "alert.actors", "actors", "", "Bad actors: what raises the most"),
    Key("W", "alert.watch", "watch_for", "", "Watch for something of your own, such as TCS > 3100"),
    Key("E", "alert.tune", "tune", "", "Edit thresholds: what patterns need, while it runs"),
    Key("b", "alert.bell", "switch_bell", "", "Switch the bell on or off"),
    *(
        Key(str(n % 10), f"pane.{name}", f"pane('{name}')", "", f"Go to {name}")
        for n, name in enumerate(PANES[:NUMBERED], 1)
    ),
    Key("slash", "pane.filter", "filter", "find", "Show only lines that hold what is typed"),
    Key("v", "pane.view", "view", "view", "The instrument's depth, chart or option chain"),
    Key("w", "pane.preset", "preset", "layout", "The next arrangement, such as options or redis"),
    Key("f", "pane.jump", "jump", "", "Jump: letters on the panes"),
    Key("tab", "pane.next", "focus_next", "next", "Go to the next pane on the screen"),
    Key("shift+tab", "pane.previous", "focus_previous", "", "Go to the previous pane"),
    Key("z", "pane.zoom", "zoom", "zoom", "Give the whole screen to this pane, or take it back"),
    Key("y", "pane.copy_line", "copy_line", "copy", "Copy the line under the cursor"),
    Key("Y", "pane.copy", "copy_pane", "", "Copy all lines of this pane"),
    Key("D", "pane.save", "save_table", "", "Save this pane as CSV"),
    Key("P", "app.picture", "save_picture", "", "Save a picture of the screen"),
    Key("space", "pane.freeze", "freeze", "freeze", "Hold this pane still; the engine goes on"),
    Key("equals_sign", "pane.compare", "compare", "", "Compare a held pane with what it is now"),
    Key("F", "pane.freeze_all", "freeze_all", "", "Hold all panes still"),
    Key("s", "watch.sort", "sort", "sort", "Sort by the next value", ("watchlist",)),
    Key("S", "watch.reverse", "reverse", "", "Turn the order round", ("watchlist",)),
    Key("c", "watch.group", "group", "group", "The next group, such as options", ("watchlist",)),
    Key(
        "L",
        "depth.ladder",
        "ladder",
        "ladder",
        "List levels, or give every price a row",
        ("depth",),
    ),
    Key("comma", "depth.finer", "group(-1)", "", "A row for fewer ticks", ("depth",)),
    Key("full_stop", "depth.coarser", "group(1)", "", "A row for more ticks", ("depth",)),
    Key("c", "depth.recentre", "recentre", "centre", "The last price into the middle", ("depth",)),
    Key(
        "L",
        "buckets.kind",
        "kind",
        "by",
        "Volume by time, by equal buckets, or by price",
        ("buckets",),
    ),
    Key("comma", "chart.shorter", "timeframe(-1)", "", "A shorter timeframe", ("chart",)),
    Key("full_stop", "chart.longer", "timeframe(1)", "longer", "A longer timeframe", ("chart",)),
    Key("left,h", "chain.call", "side(False)", "call", "The strike's call", ("chain",)),
    Key("right,l", "chain.put", "side(True)", "put", "The strike's put", ("chain",)),
    Key("comma", "chain.sooner", "expiry(-1)", "", "The expiry before", ("chain",)),
    Key("full_stop", "chain.later", "expiry(1)", "expiry", "The next expiry", ("chain",)),
    Key(
        "enter", "chain.choose", "app.focus_option", "go to", "Go to the chosen option", ("chain",)
    ),
    Key("up,k", "cursor.up", "cursor(-1)", "", "One line up"),
    Key("down,j", "cursor.down", "cursor(1)", "", "One line down"),
    Key("pageup", "cursor.page_up", "cursor_page(-1)", "", "One page up"),
    Key("pagedown", "cursor.page_down", "cursor_page(1)", "", "One page down"),
    Key("g,home", "cursor.top", "cursor_to(0)", "", "To the first line"),
    Key("G,end", "cursor.bottom", "cursor_to(-1)", "", "To the last line"),
    Key("enter", "redis.inspect", "app.inspect", "look", "Look into the stream or group", REDIS),
    Key("o", "redis.operate", "app.operate", "operate", "Trim, groups, pause, profile", REDIS),
    Key("p", "replay.pause", "play('pause')", "hold", "Hold it, or let it go on"),
    Key("left_square_bracket", "replay.back", "step(-1)", "", "One second back"),
    Key("right_square_bracket", "replay.step", "step(1)", "step", "One second on"),
    Key("less_than_sign", "replay.minute_back", "step(-60)", "", "One minute back"),
    Key("greater_than_sign", "replay.minute", "step(60)", "", "One minute on"),
    Key("left_curly_bracket", "replay.slower", "play('speed','slower')", "slower", "Slower"),
    Key("right_curly_bracket", "replay.faster", "play('speed','faster')", "faster", "Faster"),
    Key("T", "replay.time", "go_to_time", "time", "To a time of the day, there or back"),
    Key("colon,ctrl+p", "app.palette", "palette", "all", "Find any action, symbol, layout, theme"),
    Key("t", "app.theme", "theme", "", "The next theme"),
    Key("question_mark", "app.help", "help", "help", "Show or hide this help"),
    Key("escape", "app.back", "unzoom", "", "Leave a dialog, a filter or zoom"),
    Key("q", "app.quit", "ask_quit", "quit", "Quit: stop the engine, or leave it running"),
    Key("ctrl+c", "app.interrupt", "ask_quit", "", "The same; twice stops the engine"),
)
_NAMED = {str(key.value) for key in Keys} | {"shift+tab", "space", "enter", "tab", "escape"}
_EATEN = {"ctrl+i": "is the same as tab", "ctrl+m": "is the same as enter",
          "ctrl+j": "is the same as enter", "ctrl+h": "is the same as backspace",
          "ctrl+s": "stops some terminals", "ctrl+q": "belongs to the terminal's flow control",
          "ctrl+a": "belongs to screen", "ctrl+b": "belongs to tmux"}  # fmt: skip
"""Keys that never arrive, or arrive as others, by what they are instead."""
_SHOWN = {"enter": "enter", "pageup": "PgUp", "pagedown": "PgDn", "shift+tab": "S-tab"}


def heading(pane: str) -> str:
    """A pane's name behind its number, where it has one."""
    at = PANES.index(pane)
    return f"{(at + 1) % 10} {pane.capitalize()}" if at < NUMBERED else pane.capitalize()


def shown(key: Key) -> str:
    """How a key is written for people."""
    return " ".join(_SHOWN.get(name, format_key(name)) for name in key.keys.split(","))


def key_of(table: Iterable[Key], name: str) -> str:
    """How the key of an action is written for people, by its id; '' where it has none."""
    return next((shown(key) for key in table if key.id == name and key.keys), "")


def bindings(where: str = "") -> list[Binding]:
    """The keys of a pane, or those that are taken everywhere, as Textual takes them.

    Each has its key's id, by which `App.set_keymap` gives it others.
    """
    return [
        # Only ctrl+c passes dialogs by: q closes them.
        Binding(
            key.keys, key.action, key.help, show=False, id=key.id, priority=key.keys == "ctrl+c"
        )
        for key in KEYS
        if (where in key.where if where else not key.where)
    ]


def remapped(changes: Mapping[str, str]) -> tuple[Key, ...]:
    """The table with other keys for some actions.

    Args:
        changes: by id, keys as typed (`?`, `G`) or named (`ctrl+p`, `f5`), comma separated; ''
            takes a key away.

    Raises:
        ValueError: an id or a key that there is not, a key that does not arrive, or two actions on
            one key.
    """
    ids = [key.id for key in KEYS]
    for name in changes:
        if name not in ids:
            near = get_close_matches(name, ids, 3, 0.3) or ids[:3]
            raise ValueError(f"{name}: there is no such action; near to it: {', '.join(near)}")
    table = tuple(_changed(key, changes) for key in KEYS)
    _check(table)
    return table


def _changed(key: Key, changes: Mapping[str, str]) -> Key:
    try:
        return key._replace(keys=_names(changes[key.id])) if key.id in changes else key
    except ValueError as error:
        raise ValueError(f"{key.id}: {error}") from None


def keymap(table: Iterable[Key]) -> dict[str, str]:
    """Keys by id, for `App.set_keymap`."""
    return {key.id: key.keys or NEVER for key in table}


def _names(typed: str) -> str:
    parts = [","] if typed == "," else [part.strip() for part in typed.split(",")]
    return ",".join(_name(part) for part in parts if part)


def _name(typed: str) -> str:
    """What Textual calls a key."""
    name = typed
    if len(typed) == 1 and not typed.isalnum():
        name = unicodedata.name(typed, typed).lower().replace("-", "_").replace(" ", "_")
        name = KEY_NAME_REPLACEMENTS.get(name, name)
    elif len(typed) > 1 and typed not in _NAMED and not _named_character(typed):
        raise ValueError(f"{typed!r} is no key; one is written like ?, G, f5, ctrl+p or pagedown")
    if name in _EATEN:
        raise ValueError(f"{typed}: {_EATEN[name]}")
    return name


def _named_character(name: str) -> bool:
    """Whether a name is that of a character, such as question_mark."""
    return len(format_key(name)) == 1


def _check(table: Iterable[Key]) -> None:
    """Two actions may share a key only in panes that have nothing in common."""
    taken: dict[str, list[Key]] = {}
    for key in table:
        for name in filter(None, key.keys.split(",")):
            for other in taken.setdefault(name, []):
                if not key.where or not other.where or set(key.where) & set(other.where):
                    raise ValueError(f"{key.id}: {shown(key)} is taken by {other.id}")
            taken[name].append(key)


_check(KEYS)
