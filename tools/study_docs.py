"""Makes docs/study.md from the folders that `kitetui study --out` wrote.

python -m tools.study_docs TITLE=FOLDER... > docs/study.md
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEAD = """# What the patterns did on recorded data

Made by `kitetui study` with the settings of [config/](../config/); `python -m tools.study_docs`
writes this page from its output. A hit reaches the target before the stop; a timeout is a miss.
The null is the share of all bars of the same half-hour that would have hit with the same side,
distances (in ATRs) and horizon: every admissible bar is counted, nothing is drawn. `*`: more hits
than the null at a false discovery rate of 10 % among the lines of the table. R is the result in
units of the stop's distance after the costs of `outcomes.costs_pct`, with the 95 % interval of
whole sessions drawn. Skill is the Brier skill of the probabilities told, made from earlier
sessions only.

Firings without a side (`range`) name no target: of them a hit is followed, within 15 bars, by a
range at least 1.5 times the median of past sessions at that time of day. It says that prices
move, not where to.

No line may claim 80 %, and none does. Most patterns do what chance does, and costs decide: that
is what an alert of theirs is worth until their own record says otherwise.
"""
COLUMNS = (
    "| pattern | bars | class | n | hit | 95 % | null | lift | R net | 95 % | timeouts | skill |"
)


def main() -> None:
    print(HEAD)
    for argument in sys.argv[1:]:
        title, _, folder = argument.partition("=")
        board = json.loads((Path(folder) / "scoreboard.json").read_text())
        summary = json.loads((Path(folder) / "summary.json").read_text())
        bars = sum(series["bars"] for series in summary)
        print(f"## {title}\n")
        print(f"{len(summary)} series, {bars:,} bars; parameters `{board['parameters']}`.\n")
        print(COLUMNS)
        print("|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
        for line in board["lines"]:
            print(_line(line))
        print()


def _line(line: dict) -> str:  # type: ignore[type-arg]
    interval = f"{_(line['expectancy_low'], '+.2f')} to {_(line['expectancy_high'], '+.2f')}"
    cells = (
        line["pattern"], line["timeframe"], line["asset_class"], f"{line['n']:,}",
        _(line["rate"], ".3f"),
        f"{line['low']:.3f} to {line['high']:.3f}", _(line["null"], ".3f"),
        _(line["lift"], ".2f") + ("*" if line["notable"] else ""), _(line["expectancy_r"], "+.2f"),
        interval, _(line["timeouts"], ".0%"), _(line["skill"], "+.2f"),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)


main()
