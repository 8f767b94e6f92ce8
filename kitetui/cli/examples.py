"""Examples of every command, shown at the end of its help and in the manual page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import click

EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "ack": ("ack 1f2e3d", "ack --all --json"),
    "alert add": ('alert add "NIFTY 50 > 24500 once P1"',
                  'alert add "RELIANCE rsi 5m > 70 bar until 15:00"'),
    "alert list": ("alert list --json",),
    "alert remove": ("alert remove 9a8b7c",),
    "alerts": ("alerts", "alerts --history --json"),
    "archive": ("archive", "archive 2026-11-26 --json"),
    "attach": ("attach", "attach --ro --profile desk"),
    "bundle": ("bundle", "bundle --to report.tar.gz"),
    "completion": ("completion bash >> ~/.bashrc",),
    "config edit": ("config edit alerts", "config edit universe"),
    "config reference": ("config reference > settings.md",),
    "config show": ("config show", "config show --changed", "config show redis caps --json"),
    "config validate": ("config validate", "config validate --config ./desk"),
    "days": ("days", "days --json"),
    "decode": ("decode frame.bin", "decode 2026-11-26.arrows"),
    "diff": ("diff before.arrows after.arrows",
             "diff 2026-11-26 --other alerts.min_confidence=0.8"),
    "doctor": ("doctor", "doctor --json"),
    "exchange": ("exchange --port 9000 --rest-port 9001",
                 "exchange --rate 5000 --faults drop@30,mute@60:8"),
    "explain": ("explain 1f2e3d",),
    "export": ("export 2026-11-26 --to ./day",),
    "import": ("import ticks.parquet --to day.arrows",
               "import ticks/ --to day.arrows --instruments instruments.csv"),
    "instruments info": ("instruments info NIFTY26DECFUT",),
    "instruments plan": ("instruments plan", "instruments plan --set feed.instruments=all"),
    "instruments search": ("instruments search bank fut", "instruments search sensex --json"),
    "instruments sync": ("instruments sync",),
    "keys": ("keys", "keys --set 'screen.keys={alert.ack: f2}'"),
    "levels": ("levels RELIANCE", 'levels "NIFTY 50" --json'),
    "lift": ("lift",),
    "manual": ("manual > kitetui.1", "manual | man -l -"),
    "login": ("login", "login --no-browser"),
    "mode": ("mode ltp TCS INFY", "mode full"),
    "mute": ("mute TCS --for session", "mute --pattern volume_spike --why noisy"),
    "outbox": ("outbox", "outbox --json"),
    "patterns": ("patterns", "patterns volume_spike"),
    "pause": ("pause --yes",),
    "reconnect": ("reconnect",),
    "redis check": ("redis check",),
    "redis claim": ("redis claim ticks:intraday:processed desk c1 --to c2",),
    "redis forget": ("redis forget ticks:intraday:processed desk c1",),
    "redis group": ("redis group ticks:intraday:processed desk --new",
                    "redis group ticks:intraday:processed desk --at 0"),
    "redis look": ("redis look ticks:intraday:processed",
                   "redis look ticks:intraday:processed desk --json"),
    "redis pause": ("redis pause --yes",),
    "redis plan": ("redis plan --instruments 300 --rate 2000",),
    "redis profile": ("redis profile lean",),
    "redis resume": ("redis resume",),
    "redis schema": ("redis schema",),
    "redis trim": ("redis trim ticks:intraday:processed --to 10000",),
    "resume": ("resume",),
    "scoreboard": ("scoreboard", "scoreboard --json"),
    "service install": ("service install --user",),
    "service print": ("service print > /etc/systemd/system/kitetui.service",),
    "service uninstall": ("service uninstall",),
    "shelve": ("shelve 1f2e3d --for 1h --why known",),
    "ssh-setup": ("ssh-setup",),
    "status": ("status", "status --json"),
    "study": ("study RELIANCE.csv", "study bars/ --out tables --minutes 5"),
    "tail": ("tail", "tail --alerts --json"),
    "tune": ("tune", "tune volume_spike.params.min_ratio 3", "tune --undo"),
    "unmute": ("unmute TCS",),
    "unshelve": ("unshelve 1f2e3d",),
    "unwatch": ("unwatch INFY",),
    "watch": ('watch INFY "NIFTY BANK"',),
    "web": ("web", "web --port 8080 --operate"),
}  # fmt: skip


def leaves(group: click.Group, path: str = "") -> Iterator[tuple[str, click.Command]]:
    """Commands that do something, by their words."""
    for name, command in sorted(group.commands.items()):
        words = f"{path} {name}".strip()
        if isinstance(command, click.Group):
            yield from leaves(command, words)
        else:
            yield words, command


def of(words: str, command: click.Command) -> tuple[str, ...]:
    """The examples that are to be added to a command's own words: none where it has some."""
    return () if "\b" in (command.help or "") else EXAMPLES.get(words, ())


def teach(group: click.Group) -> None:
    """Have every command's help end with its examples."""
    for words, command in leaves(group):
        if told := of(words, command):
            command.epilog = "\b\n" + "\n".join(f"kitetui {example}" for example in told)
