"""One line that is there while what is shown cannot be trusted: why, since when, what to do."""

from __future__ import annotations

from kitetui.engine.snapshot import Header
from kitetui.widgets.lines import Span, whole
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import age

_TOLD = {
    "AUTH_EXPIRED": ("LOG IN", "run kitetui login; it goes on by itself"),
    "REFUSED": ("REFUSED", "the exchange lets us not in; it is tried again by itself"),
    "RECONNECTING": ("FEED LOST", "what is shown is old; it connects again by itself"),
    "STALE": ("FEED SILENT", "connected, and nothing comes: what is shown is old"),
}  # fmt: skip


class Banner(LivePane, can_focus=False):
    """Comes up by itself, and leaves by itself."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._since: tuple[str, float] = ("", 0.0)

    def show_header(self, h: Header, now_s: float, *, frozen: bool, key: str) -> None:
        """Say what is wrong, if anything is.

        Args:
            now_s: any clock that only goes forward; frozen: whether all panes are held; `key` lets
                them go on.
        """
        old = "TOKEN" if h.login and h.state == "LIVE" else ""
        word = h.state if h.silent else old or ("FROZEN" if frozen else "")
        if word != self._since[0]:
            self._since = (word, now_s)
        self.display = bool(word)
        if not word:
            return
        for_s = max(now_s - self._since[1], h.frame_age_s if h.silent else 0.0)
        since = "" if for_s < 1 else f" {age(for_s)}"
        if word == "TOKEN":
            line: tuple[Span, ...] = (
                (" ■ TOKEN ", "alarm"), (" run kitetui login: ", ""), (h.login, ""),
                (", the next reconnect fails", "dim"),
            )  # fmt: skip
        elif word == "FROZEN":
            line = (
                (f" ❚❚ FROZEN{since} ", "badge"),
                (f" the engine goes on; {key} lets the panes go on, too", ""),
            )
        else:
            title, words = _TOLD[word]
            line = ((f" ■ {title}{since} ", "alarm"), (f" {words}", ""), (f"  {h.reason}", "dim"))
        self.show([whole(line, self.app.size.width)])
