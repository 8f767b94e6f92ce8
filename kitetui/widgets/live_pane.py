"""LivePane: lines of styled spans, of which only those that changed are repainted."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual import events
from textual.cache import LRUCache
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from kitetui.engine.snapshot import Snapshot
from kitetui.keys import KEYS, key_of
from kitetui.widgets.difference import count, marked
from kitetui.widgets.lines import Line
from kitetui.widgets.palette import stale_styles, styles
from kitetui.widgets.plain_glyphs import plain as plain_glyphs
from kitetui.widgets.safe_text import clean, fit

FRAMES_SHOWN = 8
WHEEL_LINES = 3
ASCII, STILL, LITE = "-ascii", "-still", "-lite"
"""Classes of an app whose panes are drawn in ASCII, never flash, or are on a slow link."""


class LivePane(Widget, can_focus=True):
    """Lines of styled spans. `show` compares with what is on screen and repaints the difference.

    Attributes:
        filters: whether it has lines to choose from; filtered: the words that they must hold.
        frozen: lines given while frozen wait until it is lifted; comparing: they are shown
            nevertheless, what differs marked.
        stale: data older than it should be: kept, dimmed.
        active: whether it is the app's active pane; a prompt may have the focus meanwhile.
    """

    class Asks(Message):
        """Something else is to be shown: the next frame shall not wait for its turn."""

    class Points(Message):
        """A click where a pane is named."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    DEFAULT_CSS = """
    LivePane { background: $surface; }
    """

    ALLOW_SELECT = False  # what is drawn line by line has no text that Textual knows
    filters: ClassVar[bool] = False

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.filtered = ""
        self._lines: list[Line] = []
        self._strips: LRUCache[tuple[Line, int, bool], Strip] = LRUCache(512)
        self._held: tuple[list[Line], bool] | None = None
        self._titled = ("", "")
        self.active = False
        self.frozen = False
        self.comparing = False
        self._frozen: list[Line] = []
        self._held_anew = False
        """Whether the picture that is held is being made, in another size."""
        self._made_from: tuple[Snapshot, Size | None] | None = None
        """What the picture was made from, and for which size."""
        self._seen: Size | None = None
        self.stale = False

    def asks(self) -> None:
        """Have the next frame painted at once."""
        self.post_message(self.Asks())

    def key(self, name: str) -> str:
        """How the key of an action is written, as the settings have it; '' where it has none."""
        return key_of(getattr(self.app, "keys", KEYS), name)

    @property
    def flashes(self) -> bool:
        """Whether a value that changed is bold for one frame."""
        return not (self.app.has_class(STILL) or self.app.has_class(LITE))

    @property
    def lite(self) -> bool:
        """Whether the link is slow, and is spared what changes often."""
        return self.app.has_class(LITE)

    def on_mount(self) -> None:
        self._restyle()
        self.app.theme_changed_signal.subscribe(self, lambda _: self._restyle())

    def _restyle(self) -> None:
        self._strips.clear()
        self.refresh()

    def draw(self, snapshot: Snapshot) -> None:
        """Have the picture made. A pane that is held makes the one that it holds anew where its
        size changed, and its first one where it was not on the screen before."""
        size = self.size
        if self.frozen and self._made_from is None and not (size and size == self._seen):
            self._seen = size
            if size and self.display:
                self.asks()  # what comes next is asked for in this size
            return
        if not self.frozen or self._made_from is None:
            self._made_from = snapshot, None
        of, before = self._made_from
        if self.frozen and size != before:
            self._draw_held(of)
        self._made_from = of, size
        self.update_from(snapshot)

    def again(self) -> None:
        """Have a held picture made anew: what it is drawn with has changed."""
        if self._made_from is not None:
            self._made_from = self._made_from[0], None

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw what a snapshot says; header, banner and footer are told otherwise."""

    def _draw_held(self, snapshot: Snapshot) -> None:
        """Make the picture that is held as it would have been in this size."""
        self.frozen, self._held_anew = False, True
        try:
            self.update_from(snapshot)
        finally:
            self.frozen, self._held_anew = True, False
            self._hold_still()

    def _hold_still(self) -> None:
        self._frozen = list(self._lines)
        self._titled = ("", "")
        self.border_title = self._glyphs(f"❚❚ {self.border_title or ''}")

    def show(self, lines: Sequence[Line], *, stale: bool = False) -> None:
        """Put lines on the pane; only those that differ are painted."""
        if self.frozen:
            self._hold(lines, stale)
            return
        self._put(lines, stale)

    def _hold(self, lines: Sequence[Line], stale: bool) -> None:
        """Keep lines until the pane goes on; meanwhile they may be compared."""
        self._held = (list(lines), stale)
        if self.comparing:
            self._put(marked(self._frozen, lines), stale)

    def _put(self, lines: Sequence[Line], stale: bool) -> None:
        if stale != self.stale:
            self.stale = stale
            self._lines = list(lines)
            self.refresh()
            return
        before, self._lines = self._lines, list(lines)
        width, height = self.size
        changed = [
            Region(0, y, width, 1)
            for y in range(min(height, max(len(before), len(lines))))
            if (before[y] if y < len(before) else ()) != (lines[y] if y < len(lines) else ())
        ]
        if changed:
            self.refresh(*changed)

    def dim(self) -> None:
        """Keep what is shown, dimmed: it is old, and nothing comes any more."""
        if not self.stale:
            self._put(self._lines, stale=True)

    def fail(self, error: BaseException) -> None:
        """Say that it cannot be drawn, and where that went wrong."""
        frames = traceback.extract_tb(error.__traceback__)[-FRAMES_SHOWN:]
        lines: list[Line] = [
            ((" ■ this pane cannot be drawn; the others go on ", "alarm"),),
            ((f" {type(error).__name__}: {error}", "bad"),),
        ]
        for frame in reversed(frames):
            place = f" {Path(frame.filename).name}:{frame.lineno} in {frame.name}"
            lines.append(((place, "dim"), (f"  {frame.line or ''}", "")))
        self._put(lines, stale=False)

    def filter(self, text: str) -> None:
        """Show only lines that hold these words, and none of those with a `!`."""
        self.filtered = text
        self.asks()

    def holds(self, text: str) -> bool:
        """Whether a line is wanted."""
        if not self.filtered:
            return True
        text = text.upper()
        return all(
            (word.lstrip("!") in text) != word.startswith("!")
            for word in self.filtered.upper().split()
            if word != "!"
        )

    def why_empty(self, words: str) -> list[Line]:
        """Why there is no line: the filter, or what else there is to say."""
        if self.filtered:
            words = f"/{self.filtered} matches nothing: esc clears it"
        return [((line, "dim"),) for line in wrap(words, max(self.size.width, 1))]

    def freeze(self, on: bool) -> None:
        """Hold the pane still, or catch up with what was given meanwhile."""
        if on == self.frozen:
            return
        self.frozen, self.comparing = on, False
        held, self._held = self._held, None
        self._titled = ("", "")
        if on:
            self._hold_still()
            if not self.display:  # what it showed before is of another time
                self._made_from = self._seen = None
        elif held is not None:
            self._put(*held)

    def keeps(self) -> bool:
        """Whether it is held, and what it shows is not to be had in another way; says so."""
        if self.frozen:
            self.notify("a held pane stays as it is: let it go on first", markup=False)
        return self.frozen

    def compare(self) -> str:
        """Show what would be there if it were not held, and mark what differs; or go back.

        Returns:
            What is shown now, in words.
        """
        if not self.frozen or self._held is None:
            return "nothing is held: space holds this pane still"
        self.comparing = not self.comparing
        if not self.comparing:
            self._put(self._frozen, self.stale)
            return "as it was held"
        self._put(marked(self._frozen, self._held[0]), self._held[1])
        return f"as it is now: {count(self._frozen, self._held[0])} lines differ, and are marked"

    def _glyphs(self, text: str) -> str:
        return plain_glyphs(text) if self.app.has_class(ASCII) else text

    def title(self, text: str, note: str = "") -> None:
        """The border's title and its note at the bottom; each set only when it differs.

        A border repaints its whole pane: nothing that changes every frame belongs here.
        """
        if self.frozen:
            return
        if self.filtered:
            text = f"{text}  /{self.filtered}"
        room = max(self.outer_size.width - 6, 8)
        text, note = (fit(t, min(cell_len(clean(t)), room)) for t in (text, note))
        text, note = self._glyphs(text), self._glyphs(note)
        if (text, note) == self._titled:
            return
        self._titled = text, note
        escaped = text.replace("[", r"\[")
        if self.border_title != escaped:
            self.border_title = escaped
        escaped = note.replace("[", r"\[")
        if self.border_subtitle != escaped:
            self.border_subtitle = escaped

    def on_click(self, event: events.Click) -> None:
        """A click is for the line that it meets."""
        at = event.get_content_offset(self)
        if at is not None:
            self.point(at.x, at.y)

    def point(self, x: int, y: int) -> None:
        """A cell of the pane was clicked."""

    def on_mouse_scroll_down(self) -> None:
        """The wheel goes through the lines of the pane under it."""
        self.move(WHEEL_LINES)

    def on_mouse_scroll_up(self) -> None:
        """The other way."""
        self.move(-WHEEL_LINES)

    def move(self, by: int) -> None:
        """Move the cursor, where there is one."""

    @property
    def line_here(self) -> str:
        """The line under the cursor, or the first one."""
        return self.plain[0] if self._lines else ""

    @property
    def plain(self) -> list[str]:
        """The lines as text, for tests and copying."""
        return ["".join(text for text, _ in line) for line in self._lines]

    def render_line(self, y: int) -> Strip:
        """One line, from the cache where it has been drawn before."""
        width = self.size.width
        line = self._lines[y] if y < len(self._lines) else ()
        key = (line, width, self.stale)
        strip = self._strips.get(key)
        if strip is None:
            strip = self._strips[key] = self._strip(line, width)
        return strip

    def _strip(self, line: Line, width: int) -> Strip:
        known = stale_styles(self.app.theme) if self.stale else styles(self.app.theme)
        ascii_only = self.app.has_class(ASCII)
        out: list[Segment] = []
        for text, name in line:
            cleaned = clean(text)
            style = known.get(name, known[""])
            out.append(Segment(plain_glyphs(cleaned) if ascii_only else cleaned, style))
        rest = known["cursor " if line and line[-1][1].startswith("cursor ") else ""]
        strip = Strip(out)
        if strip.crop(width).text.strip():  # what does not fit says so
            cut = Segment(plain_glyphs("…") if ascii_only else "…", out[-1].style)
            strip = Strip([*strip.crop(0, width - 1).adjust_cell_length(width - 1), cut])
        return strip.adjust_cell_length(width, rest)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        return container.width
