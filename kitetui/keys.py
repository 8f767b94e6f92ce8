"""One table of keys: bindings, footer, help and docs all come from it."""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """One action an operator can take by key.

    Attributes:
        keys: Textual key names, comma separated; the first is shown.
        id: stable name, for remapping.
        action: Textual action.
        label: a word for the footer; '' keeps it out of there.
        help: a sentence.
    """

    keys: str
    id: str
    action: str
    label: str
    help: str


PANES = ("watchlist", "depth", "buckets", "streams", "lag", "alerts", "events",
         "scoreboard", "news", "server")  # fmt: skip
"""Panes in the order of their number keys, 1 to 9 and then 0."""

KEYS = (
    *(
        Key(str(n % 10), f"pane.{name}", f"pane('{name}')", "", f"Go to {name}")
        for n, name in enumerate(PANES, 1)
    ),
    Key("question_mark", "app.help", "help", "help", "Show or hide this help"),
    Key("q,ctrl+c", "app.quit", "ask_quit", "quit", "Quit: stop the engine, or leave it running"),
    Key("tab", "pane.next", "next_pane", "next", "Go to the next pane"),
    Key("shift+tab", "pane.previous", "previous_pane", "", "Go to the previous pane"),
    Key("z", "pane.zoom", "zoom", "zoom", "Give the whole screen to this pane, or take it back"),
    Key("up,k", "cursor.up", "cursor(-1)", "", "One line up"),
    Key("down,j", "cursor.down", "cursor(1)", "", "One line down"),
    Key("pageup", "cursor.page_up", "cursor_page(-1)", "", "One page up"),
    Key("pagedown", "cursor.page_down", "cursor_page(1)", "", "One page down"),
    Key("g,home", "cursor.top", "cursor_to(0)", "", "To the first line"),
    Key("G,end", "cursor.bottom", "cursor_to(-1)", "", "To the last line"),
    Key("space", "pane.freeze", "freeze", "freeze", "Hold this pane still; the engine goes on"),
    Key("F", "app.freeze", "freeze_all", "", "Hold all panes still"),
    Key("a", "alert.ack", "acknowledge", "ack", "Acknowledge the alert under the cursor, as shown"),
    Key(
        "A",
        "alert.ack_all",
        "acknowledge_all",
        "",
        "Acknowledge all alerts on the screen",
    ),
    Key(
        "x",
        "alert.shelve",
        "shelve",
        "shelve",
        "Shelve the alert for a while",
    ),
    Key("X", "alert.unshelve", "unshelve", "", "Take the alert from its shelf"),
    Key("e", "alert.explain", "explain", "why", "Why: the alert under the cursor, in words"),
    Key(
        "s",
        "patterns.silence",
        "silence",
        "",
        "Silent because: what keeps patterns from firing",
    ),
    Key("H", "alert.history", "history", "", "History: the day's alerts, searched by typing"),
    Key("B", "alert.actors", "actors", "", "Bad actors: what raises the most"),
    Key("W", "alert.watch", "watch_for", "", "Watch for something of your own, such as TCS > 3100"),
    Key("b", "alert.bell", "switch_bell", "", "Switch the bell on or off"),
    Key("u", "alert.undo", "undo", "undo", "Take back your last acknowledgement (30 s)"),
    Key("n", "alert.next", "next_unacked", "next alert", "Go to the next unacknowledged alert"),
    Key("enter", "redis.inspect", "inspect", "", "Look into the stream or group under the cursor"),
    Key("o", "redis.operate", "operate", "", "Operate Redis: trim, groups, pause, profile"),
    Key("p", "replay.pause", "play('pause')", "", "Replay: hold it, or let it go on"),
    Key("full_stop", "replay.step", "play('step','1')", "", "Replay: one second on"),
    Key("m", "replay.minute", "play('step','60')", "", "Replay: one minute on"),
    Key("plus", "replay.faster", "play('speed','faster')", "", "Replay: faster"),
    Key("minus", "replay.slower", "play('speed','slower')", "", "Replay: slower"),
    Key("t", "replay.time", "go_to_time", "", "Replay: to a time of the day, there or back"),
    Key("escape", "app.back", "unzoom", "", "Leave help or zoom"),
)


def shown(key: Key) -> str:
    """How a key is written for people."""
    names = {"question_mark": "?", "escape": "esc", "space": "space", "pageup": "PgUp",
             "pagedown": "PgDn", "shift+tab": "S-tab", "up": "↑", "down": "↓",
             "full_stop": ".", "plus": "+", "minus": "-"}  # fmt: skip
    return " ".join(names.get(k, k) for k in key.keys.split(","))
