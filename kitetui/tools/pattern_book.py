"""`kitetui patterns`: what each pattern looks for, and every number it goes by."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import click
import msgspec

from kitetui.cli.options import fail
from kitetui.engine.patterns.registry import Detector, registry
from kitetui.sentences import sentence
from kitetui.settings import PatternSettings

WIDTH = 88
ABOUT = """# Patterns

Written by `kitetui patterns --markdown`, from the detectors and `config/thresholds.yaml`. The same
for one of them, with the values of your own files: `kitetui patterns volume_spike`.

Each looks at every bar that closes on its timeframes, at what was known then and nothing later.

- **Score**: each piece of evidence with a *ramp* counts 0.1 at the ramp's first value and 1 at its
  second; the score is their geometric mean. How far beyond its thresholds, no more.
- **Confidence**: the share of this pattern's own firings that the score beats. 97 %: stronger than
  97 % of them; it is no probability of profit. `alerts.min_confidence` is the first gate.
- **Chance**: how often such firings reached the target before the stop, beside what their distances
  alone would give. With fewer than 100 outcomes it says so by a `~`.
- **Target and stop** are in ATRs as of the bar before, unless the pattern names prices of its own;
  after the *horizon* it is settled by time. Every firing is followed, told or not.

To change a number: `E` on the screen or `kitetui tune volume_spike.params.min_ratio 3` while it
runs, `kitetui config edit thresholds` for good. From the next day on, what fired under other
numbers is counted apart.
[alerts.md](alerts.md) says what becomes of a firing, [study.md](study.md) what the patterns did on
recorded data, [plugins.md](plugins.md) how to add one.
"""
NEEDS = {"volume": "instruments that trade (no index)", "landmarks": "swings and gaps",
         "previous_session": "a past session", "chains": "an option chain"}  # fmt: skip


def print_patterns(settings: Mapping[str, PatternSettings], name: str, *, markdown: bool) -> int:
    """Print all in a line each, one in full, or the documentation; the exit code."""
    known = registry()
    if markdown:
        click.echo(as_markdown(settings), nl=False)
    elif not name:
        for detector in known.values():
            held = settings.get(detector.name)
            off = "  (no settings)" if held is None else "" if held.enabled else "  (off)"
            click.echo(f"{detector.name:<30} {about(detector).partition('.')[0]}{off}")
    elif name not in known:
        near = ", ".join(get_close_matches(name, known, 3, 0.4)) or "kitetui patterns lists them"
        fail(1, f"{name[:60]}: there is no such pattern; {near}")
    elif name not in settings:
        fail(1, f"{name}: has no settings in thresholds.yaml, and so is not in force")
    else:
        click.echo(as_text(known[name], settings[name]), nl=False)
    return 0


def about(detector: Detector) -> str:
    """What it looks for, in words."""
    return " ".join((inspect.getdoc(detector.function) or "").split())


def as_text(detector: Detector, settings: PatternSettings) -> str:
    """One pattern for a terminal."""
    out = [detector.name, "", *textwrap.wrap(about(detector), WIDTH), ""]
    for name, text in _facts(detector, settings):
        out += textwrap.wrap(text, WIDTH, initial_indent=f"{name:<10}", subsequent_indent=" " * 10)
    out.append("")
    for key, value, words in _numbers(detector.name, settings):
        out.append(f"{key:<26} {value:>12}  {words}".rstrip())
    return "\n".join(out) + "\n"


def as_markdown(settings: Mapping[str, PatternSettings]) -> str:
    """The documentation of all."""
    out = [ABOUT]
    for name, detector in sorted(registry().items()):
        if name not in settings:
            continue  # a plugin's
        out.append(f"\n## {name}\n\n{about(detector)}\n\n")
        out += [f"- {fact}: {text}\n" for fact, text in _facts(detector, settings[name])]
        out.append("\n| threshold | delivered | |\n|---|---|---|\n")
        out += [f"| `{key}` | `{value}` | {words} |\n"
                for key, value, words in _numbers(name, settings[name])]  # fmt: skip
    return "".join(out)


def _facts(detector: Detector, settings: PatternSettings) -> Iterator[tuple[str, str]]:
    said = re.sub(r"{(\w+)[^}]*}", r"<\1>", detector.words)
    yield "says", f'"{said}"'
    yield "bars", ", ".join(settings.timeframes)
    if any(detector.kinds):
        yield "kinds", ", ".join(detector.kinds)
    if detector.needs:
        yield "needs", ", ".join(NEEDS[need] for need in NEEDS if need in detector.needs)
    if detector.edge:
        yield "fires", "where its condition was false one bar before"
    scored = ", ".join(settings.ramps)
    yield "score", f"of {scored}" if scored else "has no ramp: always the lowest"


def _numbers(name: str, settings: PatternSettings) -> Iterator[tuple[str, str, str]]:
    """Each threshold, its value and its sentence; what all patterns have is told once."""
    for field, value in msgspec.to_builtins(settings).items():
        if field in ("enabled", "timeframes"):
            continue
        if not isinstance(value, dict):
            yield field, f"{value:g}", sentence(f"thresholds.{name}.{field}")
            continue
        for key, one in value.items():
            words = sentence(f"thresholds.{name}.{field}.{key}")
            if isinstance(one, list):
                yield f"ramp {key}", " to ".join(f"{mark:g}" for mark in one[:2]), words
            else:
                yield key, f"{one:g}", words
