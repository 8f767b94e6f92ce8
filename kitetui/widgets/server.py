"""The Redis servers: memory and where it goes, load, persistence; and what we write there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import BindingType

from kitetui.engine.snapshot import Publication, Server, Snapshot
from kitetui.keys import bindings
from kitetui.widgets.lines import Line, Span
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import age, bar, compact

MEMORY_BAR = 16
TIGHT = 0.8
SOON_S = 3600.0
LABEL = "keys   "


_PASSING = ("connecting", "loading", "paused")
"""States that are no failure."""


class ServerPane(LivePane):
    """Publication first, then a server after the other, figures with their names."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("server")]

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw publication and servers."""
        self.title("0 Redis", f"{self.key('redis.operate')} pauses, switches the profile")
        lines: list[Line] = _publication(snapshot.publication)
        for server in snapshot.servers:
            lines += [(), *_server(server, self.size.width - 2)]
        self.show(lines, stale=snapshot.streams_age_s > 3)


def standing(state: str) -> tuple[str, str]:
    """Glyph and style of what the publication to Redis is in."""
    if state in _PASSING:
        return "○", "warn"
    return ("●", "good") if state == "ok" else ("■", "bad")


def _publication(p: Publication) -> list[Line]:
    glyph, style = standing(p.state)
    state = (f"{glyph} {p.state} ", style)
    out: list[Line] = [((f"{p.profile} ", "bold"), state, (p.reason, "bad"))]
    told: list[Span] = [
        (f"written {p.published:,}  ", ""),
        (f"waiting {p.spooled:,}  ", "warn" if p.spooled > 5_000 else "dim"),
        (f"p50 {p.p50_ms:.0f} p99 {p.p99_ms:.0f} ms", "dim"),
    ]  # fmt: skip
    out.append(tuple(told))
    counts = [(p.refilled, "written again", "warn"), (p.dropped, "DROPPED", "bad"),
              (p.refused, "there already", "dim")]  # fmt: skip
    some: list[Span] = [(f"{count:,} {what}  ", style) for count, what, style in counts if count]
    if p.behind_s > 1:
        some.append((f"symbols {p.behind_s:.1f} s behind", "warn"))
    if some:
        out.append(tuple(some))
    return [*out, *(((f"■ {trouble}", "bad"),) for trouble in p.troubles)]


def _server(server: Server, width: int) -> list[Line]:
    s = server.stats
    head: Line = ((f"{server.name}  ", "accent"), (f"{s.version} {s.role}", ""))
    if server.error:
        return [head, ((f"■ {server.error}", "bad"),)]
    limit = s.limit_mb or s.system_mb
    share = s.used_mb / limit if limit else 0.0
    of = f"of {compact(s.limit_mb)} MB" if s.limit_mb else "no limit"
    out: list[Line] = [
        head,
        (("memory ", "dim"), (bar(share, MEMORY_BAR), "warn" if share > TIGHT else "accent"),
         (f" {s.used_mb:,.0f} MB {of}", ""), (f"  {s.policy}", _policy(s.policy))),
        _growth(server),
        (("load   ", "dim"), (f"{compact(s.ops_per_s)} ops/s  in {compact(s.in_kb_s)} kB/s  "
                              f"out {compact(s.out_kb_s)} kB/s  {s.clients} clients", "")),
        (("disk   ", "dim"), (s.persistence, "bad" if "FAIL" in s.persistence else ""),
         (f"  up {age(s.uptime_s)}", "dim")),
    ]  # fmt: skip
    if s.link:
        out.append((("copies ", "dim"), (s.link, "bad" if "down" in s.link else "")))
    if s.evicted or s.rejected:
        out.append(((f"■ {s.evicted:,} keys evicted, {s.rejected:,} clients turned away", "bad"),))
    out += _keys(s.keys, width)
    if server.foreign:
        out.append((("       ", ""), (f"{server.foreign:,} streams not ours", "warn")))
    if s.slow_count:
        out.append((("slow   ", "dim"), (f"{s.slow_count:,} calls", "")))
        out += [((f"  {call.took_ms:>8.1f} ms ", "warn"), (call.command, "dim")) for call in s.slow]
    return out


def _keys(keys: Mapping[int, int], width: int) -> list[Line]:
    """Keys of each database, as many to a line as have room."""
    lines = [""]
    for db, count in sorted(keys.items()):
        told = f"{db}:{compact(count)}  "
        if lines[-1] and len(lines[-1]) + len(told) > width - len(LABEL):
            lines.append("")
        lines[-1] += told
    heads = [LABEL, *[" " * len(LABEL)] * (len(lines) - 1)]
    return [((head, "dim"), (line.rstrip() or "none", ""))
            for head, line in zip(heads, lines, strict=True)]  # fmt: skip


def _policy(policy: str) -> str:
    return "dim" if policy in ("", "noeviction") else "bad"


def _growth(server: Server) -> Line:
    s = server.stats
    if s.growth_mb_h is None:
        return (("growth ", "dim"), ("looking", "dim"))
    soon = s.full_in_s is not None and s.full_in_s < SOON_S and bool(s.limit_mb)
    full = "" if s.full_in_s is None else f"  full in {age(s.full_in_s)}"
    return (
        ("growth ", "dim"),
        (f"{s.growth_mb_h:+,.0f} MB/h", ""),
        (full, "bad" if soon else "dim"),
    )
