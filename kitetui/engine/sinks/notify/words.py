"""Notices as messages: Telegram's HTML, every text escaped, split where one alert ends."""

from __future__ import annotations

import html
from collections.abc import Sequence

from kitetui.engine.alerts.alert import Alert, Origin
from kitetui.engine.alerts.explain import planned
from kitetui.engine.alerts.flood import Form, Notice
from kitetui.engine.calendar import ist

LIMIT = 4096
"""UTF-16 units that a message may have."""
_SIDES = {1: "▲ up", -1: "▼ down", 0: ""}
_HEADS = {Form.AGAIN: "still open: ", Form.TOGETHER: "", Form.ALERT: ""}


def units(text: str) -> int:
    """Length as Telegram counts it."""
    return len(text.encode("utf-16-le")) // 2


def blocks(notice: Notice) -> list[str]:
    """Parts of a message that are never torn apart, as HTML."""
    if not notice.alerts:
        return [f"<b>{_plain(notice.text)}</b>" if notice.form is Form.FLOOD
                else _plain(notice.text)]  # fmt: skip
    return [_alert(alert, _HEADS.get(notice.form, "")) for alert in notice.alerts]


def messages(parts: Sequence[str], limit: int = LIMIT) -> list[str]:
    """Parts joined into messages of at most so many units; a part alone that is longer is cut."""
    out: list[str] = []
    for part in parts:
        if units(part) > limit:
            part = _cut(part, limit)
        if out and units(out[-1]) + 2 + units(part) <= limit:
            out[-1] += "\n\n" + part
        else:
            out.append(part)
    return out


def _alert(a: Alert, head: str) -> str:
    when = f"{ist(a.at_s):%H:%M:%S}"
    if a.origin is Origin.SYSTEM:
        return (f"<b>{head}{a.priority.name} {_plain(a.pattern)}</b> {_plain(a.symbol)}\n"
                f"{_plain(a.message)}\n{when} <code>{_plain(a.alert_id)}</code>")  # fmt: skip
    rule = " ".join(word for word in (a.pattern, a.about, a.timeframe, _SIDES[a.side]) if word)
    lines = [f"<b>{head}{a.priority.name} {_plain(a.symbol)}</b> {_plain(rule)}"]
    price = f"{a.price:,.2f}"
    if a.target is not None and a.stop is not None:
        price += f", target {a.target:,.2f}, stop {a.stop:,.2f}"
    lines.append(price)
    if a.plan is not None:
        lines.append(_plain(f"plan: {planned(a.plan)}"))
    chance = f"confidence {a.confidence:.0%}"
    if a.p_hit is not None and a.calibrated:
        chance += f", hits {a.p_hit:.0%} of {a.p_outcomes} (by chance {a.null_rate or 0:.0%})"
    lines.append(chance)
    if a.message or a.tags:
        lines.append(_plain(a.message or ", ".join(a.tags)))
    lines.append(f"{when} <code>{_plain(a.alert_id)}</code>")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """A text of anybody's as Telegram's HTML: no control characters, nothing that is markup."""
    kept = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in text)
    return html.escape(kept.encode("utf-8", "replace").decode(), quote=False)


def plain(message: str) -> str:
    """A message without its markup, for a server that cannot parse it."""
    for tag in ("<b>", "</b>", "<code>", "</code>"):
        message = message.replace(tag, "")
    return html.unescape(message)


def _cut(part: str, limit: int) -> str:
    """A part's text, cut: without its markup, of which half would be refused."""
    text = plain(part)
    while units(html.escape(text, quote=False)) > limit - 1:
        text = text[: len(text) - max((units(html.escape(text, quote=False)) - limit) // 8, 1)]
    return html.escape(text, quote=False) + "…"
