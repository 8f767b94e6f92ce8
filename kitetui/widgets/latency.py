"""What came in, what became of it, and how long each stage takes."""

from __future__ import annotations

from collections.abc import Sequence

from kitetui.engine.snapshot import LATENCY_MS, Ingestion, Snapshot, Stage
from kitetui.keys import heading
from kitetui.widgets.lines import Line
from kitetui.widgets.live_pane import LivePane
from kitetui.widgets.numbers import bar, compact

NAME, BAR = 20, 24
SLOW_MS = {"received to derived": 250.0, "loop behind": 50.0, "to Redis": 250.0,
           "asked to answered": 100.0, "one frame": 30.0}  # fmt: skip
"""Beyond these a stage is to be looked at."""


class LatencyPane(LivePane):
    """Stages with their quantiles, a histogram of the first, counters and gaps.

    Attributes:
        own: the screen's own stages, which the engine does not know.
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.own: Sequence[Stage] = ()

    def update_from(self, snapshot: Snapshot) -> None:
        """Draw the ingestion of a snapshot."""
        self.title(heading("latency"), "of the newest of each; MOST since the start")
        what = snapshot.ingestion
        if not what.stages:
            self.show([(("… nothing came in yet", "dim"),)])
            return
        lines: list[Line] = [((f" {'STAGE, ms':<{NAME}} {'P50':>7} {'P90':>7} {'P99':>7} "
                               f"{'MOST':>8}", "head"),)]  # fmt: skip
        lines += [_stage(stage) for stage in (*what.stages, *self.own)]
        lines += [(), *_histogram(what.stages[0]), (), *_counts(what, self.size.width), ()]
        lines += _links(snapshot)
        lines += [((f" gap {gap}", "warn"),) for gap in what.gaps[::-1]] or [
            ((" no gap in what came in", "good"),)
        ]
        self.show(lines[: max(self.size.height, 1)])


def _stage(stage: Stage) -> Line:
    slow = stage.p99_ms > SLOW_MS.get(stage.name, float("inf"))
    return (
        (f" {stage.name:<{NAME}} {stage.p50_ms:>7.1f} {stage.p90_ms:>7.1f} ", ""),
        (f"{stage.p99_ms:>7.1f} ", "warn" if slow else ""),
        (f"{stage.most_ms:>8.1f}{' !' if slow else ''}", "warn" if slow else "dim"),
    )


def _histogram(stage: Stage) -> list[Line]:
    total = sum(stage.counts) or 1
    names = [f"≤ {end:g}" for end in LATENCY_MS] + [f"> {LATENCY_MS[-1]:g}"]
    lines: list[Line] = [((f" {stage.name}, ms", "head"),)]
    for name, count in zip(names, stage.counts, strict=False):
        lines.append(((f" {name:>6} ", "dim"), (bar(count / total, BAR), "bid-bar"),
                      (f" {count / total:4.0%} {count:>6,}", "")))  # fmt: skip
    return lines


def _counts(what: Ingestion, width: int) -> list[Line]:
    """Counters, as many beside each other as there is room for."""
    cells = what.counts
    a_line = max(width // 22, 1)
    lines: list[Line] = []
    for at in range(0, len(cells), a_line):
        line: list[tuple[str, str]] = []
        for name, count in cells[at : at + a_line]:
            odd = count and name in ("bad frames", "rejected", "reconnects", "gaps")
            line += [(f" {name:>11} ", "dim"), (f"{compact(count):<9}", "warn" if odd else "")]
        lines.append(tuple(line))
    return lines


def _links(snapshot: Snapshot) -> list[Line]:
    return [
        ((f" connection {link.connection} ", "dim"),
         (f"{'●' if link.state == 'LIVE' else '■'} {link.state}", "good" if link.state == "LIVE"
          else "bad"), (f" {link.reason}", "dim"))
        for link in snapshot.header.links
    ]  # fmt: skip
