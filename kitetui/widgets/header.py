"""The header: source, session, clock, rates, latency and link states in one line."""

from __future__ import annotations

from rich.cells import cell_len

from kitetui.engine.snapshot import Header
from kitetui.widgets.lines import Span, whole
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import age, clock, compact
from kitetui.widgets.safe_text import clean, fit
from kitetui.widgets.server import standing

REASON_MIN, REASON_MAX = 11, 30
_GLYPHS = {
    "LIVE": ("●", "good"),
    "CONNECTING": ("○", "warn"),
    "STALE": ("▲", "bad"),
    "RECONNECTING": ("○", "bad"),
    "AUTH_EXPIRED": ("■", "alarm"),
    "REFUSED": ("■", "alarm"),
    "CLOSED": ("■", "dim"),
    "REPLAY": ("▶", "accent"),
    "REPLAYED": ("■", "accent"),
    "PAUSED": ("‖", "warn"),
    "SEEKING": ("»", "warn"),
}


class HeaderBar(LivePane, can_focus=False):
    """One line; what matters most comes first, so that a narrow screen loses the least."""

    def show_boot(self, text: str, *, down: bool) -> None:
        """Draw what is waited for."""
        words: Span = (f" ■ {text} ", "alarm") if down else (f" {text}", "warn")
        self.show([((" kitetui ", "badge"), words)])

    def show_header(self, h: Header, *, role: str, frozen: bool, queue: int, hz: float,
                    frame_ms: float) -> None:  # fmt: skip
        """Draw the engine's header; `role`: whether this screen may do something: rw or ro."""
        wide = self.size.width >= 150
        source = _source(h)
        parts = [*source, *_session(h, wide)]
        if role == "ro":
            parts.append(("looking only " if wide else "ro ", "warn"))
        parts += [*_alerts(h), *_journal(h), *_feed(h, wide), *_redis(h, wide)]
        if frozen:
            parts[len(source) : len(source)] = [(" ❚❚ FROZEN ", "badge"), (" ", "")]
        if h.reason and h.state not in ("LIVE", "CLOSED"):
            # The clock and what waits for somebody keep their place beside a long reason.
            room = self.size.width - sum(cell_len(text) for text, _ in parts) - 1
            reason = fit(h.reason, min(cell_len(clean(h.reason)), max(room, REASON_MIN)))
            style = "accent" if h.source == "replay" else "bad"
            parts.insert(len(source), (f"{reason} ", style))
        if wide:
            parts += _health(h, queue, hz, frame_ms, self.lite)
        self.show([whole(parts, self.size.width)])


def _source(h: Header) -> list[Span]:
    name = "SIMULATED" if h.simulated else "REPLAY" if h.source == "replay" else "KITE"
    glyph, style = _GLYPHS.get(h.state, ("?", "warn"))
    after = [(" ", "")] if style == "alarm" else []  # its ground ends there
    return [(f" {name} ", "badge"), (f" {glyph} {h.state} ", style), *after]


def _session(h: Header, wide: bool) -> list[Span]:
    open_ = h.market.endswith("OPEN") and "PRE" not in h.market
    market = h.market if wide or not open_ else h.market.split(" ", 1)[-1]
    time = f"{clock(h.session_s)} IST " if wide else f"{clock(h.session_s)} "
    return [(f"{market} ", "" if open_ else "warn"), (time, "bold")]


def _feed(h: Header, wide: bool) -> list[Span]:
    live = sum(link.state == "LIVE" for link in h.links)
    links = f"ws {live}/{len(h.links)} " if h.links else ""
    out: list[Span] = [(f"│ {links}", "" if live == len(h.links) else "bad")]
    if wide:
        out.append((f"sub {h.subscribed:,} ", ""))
    out.append((f"{compact(h.ticks_per_s)}/s ", ""))
    if wide or h.gaps:
        out.append((f"gap {h.gaps} ", "warn" if h.gaps else "dim"))
    if h.frame_age_s > 3:
        out.append((f"silent {age(h.frame_age_s)} ", "bad"))
    if h.warm_wanted and h.warmed < h.warm_wanted and wide:
        out.append((f"warming {h.warmed}/{h.warm_wanted} ", "warn"))
    p50 = f"p50 {h.latency_p50_ms:.0f} " if wide else ""
    style = "" if h.latency_p99_ms < 250 else "warn"
    out.append((f"│ {p50}p99 {h.latency_p99_ms:.0f}ms ", style))
    return out


def _redis(h: Header, wide: bool) -> list[Span]:
    good = h.redis_state == "ok"
    glyph, style = standing(h.redis_state)
    word = f"{h.redis_state} " if not good else f"{h.redis_ms:.1f}ms " if wide else ""
    out: list[Span] = [(f"│ redis {glyph} {word}", "" if good else style)]
    if h.spooled > 5_000 or (h.spooled and not good):
        out.append((f"spool {compact(h.spooled)} ", "warn"))
    if h.max_lag:
        out.append((f"lag {compact(h.max_lag)} ", ""))
    elif wide:
        out.append(("lag – " if h.max_lag is None else "lag 0 ", "dim"))
    return out


def _journal(h: Header) -> list[Span]:
    """Only where what comes in is not kept."""
    if h.journal in ("ok", "off"):
        return []
    words = fit(h.journal, min(cell_len(clean(h.journal)), REASON_MAX))
    return [(f" journal ■ {words} ", "alarm"), (" ", "")]


def _alerts(h: Header) -> list[Span]:
    if not h.unacked:
        return [("│ all clear ", "good")]
    urgent = f"{h.urgent} P1, " if h.urgent else ""
    return [("│", ""), (f" ● {urgent}{h.unacked} unacked ", "alarm" if h.urgent else "bad")]


def _health(h: Header, queue: int, hz: float, frame_ms: float, lite: bool) -> list[Span]:
    out: list[Span] = []
    lag = h.loop_lag_p99_ms
    out.append((f"│ loop {lag:.0f}ms ", "dim" if lag < 50 else "warn"))
    if h.notify:
        out.insert(0, (f"│ {fit(h.notify, min(cell_len(clean(h.notify)), 40))} ", "warn"))
    own = f"ui {hz:.0f}Hz{' lite' * lite} {frame_ms:.0f}ms q{queue}"
    out.append((f"│ {h.memory_mb:.0f}MB │ {own}", "dim"))
    return out
