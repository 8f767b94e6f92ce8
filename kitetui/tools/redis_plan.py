"""`kitetui redis schema` and `plan`: the contract in force, and what it will take of memory."""

from __future__ import annotations

import json
from typing import Any

import click
import msgspec

from kitetui.redis_contract import CHANNELS, KEYS, Entry
from kitetui.settings import RedisSettings

SESSION_S = 22_500
"""A day of 375 minutes; the calendar knows the true ones, an estimate does not need them."""
BATCH_TICKS, BATCH_S = 500, 0.02
PACKED_TICK_BYTES = {"none": 200, "zstd": 75}
"""Bytes of a tick in a packed entry, measured on a day of real depth."""


def schema(settings: RedisSettings, *, as_json: bool) -> int:
    """Print every key and channel in force."""
    profile = settings.effective_profile
    keys = [_key(settings, name, entry, profile) for name, entry in KEYS.items()]
    channels = [
        {"name": name, "channel": settings.channels[name], "about": channel.about,
         "written": profile in channel.profiles and not channel.heard, "heard": channel.heard}
        for name, channel in CHANNELS.items()
    ]  # fmt: skip
    if as_json:
        told = {"profile": profile, "keys": keys, "channels": channels}
        click.echo(json.dumps(told, indent=1))
        return 0
    click.echo(f"profile {profile}; * marks what it does not write\n")
    click.echo(f"{'KEY':<60} {'DB':>2} {'TYPE':<7} {'CAP':>7} {'LIFE':>8}  WHAT")
    for key in keys:
        mark = " " if key["written"] else "*"
        life = f"{key['life_s']:,}" if key["life_s"] else "-"
        cap = f"{key['cap']:,}" if key["cap"] else "-"
        click.echo(f"{mark}{key['key']:<59} {key['db']:>2} {key['type']:<7} {cap:>7} {life:>8}  "
                   f"{key['about']}")  # fmt: skip
        if key["fields"]:
            click.echo(f"     {', '.join(key['fields'])}")
    click.echo(f"\n{'CHANNEL':<32}  WHAT")
    for channel in channels:
        mark = "<" if channel["heard"] else " " if channel["written"] else "*"
        click.echo(f"{mark}{channel['channel']:<31}  {channel['about']}")
    return 0


def _key(settings: RedisSettings, name: str, entry: Entry, profile: str) -> dict[str, Any]:
    store = settings.stores[entry.store]
    switched = not entry.setting or bool(getattr(settings, entry.setting))
    return {
        "name": name, "key": store.prefix + settings.keys[name], "store": entry.store,
        "db": store.db, "type": entry.type, "fields": [*entry.fields, *entry.optional],
        "cap": getattr(settings.caps, entry.cap) if entry.cap else 0,
        "life_s": getattr(settings, entry.life) if entry.life else 0,
        "age_s": settings.ages_s.get(name, 0), "about": entry.about,
        "written": profile in entry.profiles and switched,
    }  # fmt: skip


class Line(msgspec.Struct, frozen=True):
    """What a key of the contract takes.

    Attributes:
        per_s: writes; day_mb: written over a session; held_mb: memory once the caps are reached.
    """

    name: str
    keys: int
    per_s: float
    day_mb: float
    held_mb: float


def estimate(settings: RedisSettings, profile: str, instruments: int, rate: float,
             focus: int) -> list[Line]:  # fmt: skip
    """What a profile writes and keeps, for so many instruments and ticks a second in all."""
    out = []
    caps = settings.caps
    rows_per_s = min(rate, instruments / (settings.conflate_ms / 1000))
    entries = {
        "raw_stream": rate, "processed_stream": rate,
        "packed_stream": max(rate / BATCH_TICKS, min(rate, 1 / BATCH_S)),
        "symbol_ticks": rows_per_s * min(focus / max(instruments, 1), 1),
        "five_seconds": min(focus, instruments) / 5, "flow": rows_per_s,
        "ohlc": instruments * (1 / 60 + 1 / 300), "session": rows_per_s, "latest": rows_per_s,
        "bucket": rows_per_s, "bucket_legacy_1": rows_per_s, "bucket_legacy_2": rows_per_s,
        "daily_cumulative": rows_per_s, "depth": rows_per_s,
        "analysis_cache": instruments / 60, "volume_profile": instruments / 300,
    }  # fmt: skip
    buckets = SESSION_S // 300
    for name, entry in KEYS.items():
        if name not in entries or profile not in entry.profiles:
            continue
        if entry.setting and not getattr(settings, entry.setting):
            continue
        per_s = entries[name]
        size = float(entry.entry_bytes)
        if name == "packed_stream":
            size = 150 + PACKED_TICK_BYTES[settings.compress] * rate / per_s
        of_focus = name in ("symbol_ticks", "five_seconds")
        keys = (min(focus, instruments) if of_focus else instruments) if entry.parts else 1
        held = float(keys)
        if entry.type == "stream":
            cap = float(getattr(caps, entry.cap))
            if entry.cap == "ticks":
                cap = min(max(cap, per_s * caps.seconds), caps.bytes / size)
            elif entry.cap == "packed":
                cap = min(cap, caps.bytes / entry.entry_bytes)
            held = min(keys * cap, per_s * SESSION_S)
        elif name.startswith("bucket"):
            held = keys = instruments * buckets
        elif name == "daily_cumulative":
            held = instruments
        out.append(Line(name, keys, per_s, per_s * size * SESSION_S / 1e6, held * size / 1e6))
    return out


def plan(settings: RedisSettings, instruments: int, rate: float | None, focus: int, *,
         as_json: bool) -> int:  # fmt: skip
    """Print what the profile in force will take, and the others in short."""
    rate = float(instruments) if rate is None else rate
    if instruments <= settings.focus_rows:
        focus = instruments
    profile = settings.effective_profile
    lines = estimate(settings, profile, instruments, rate, focus)
    totals = {
        name: {"held_mb": round(sum(line.held_mb for line in found), 1),
               "day_mb": round(sum(line.day_mb for line in found), 1)}
        for name in ("full", "lean", "packed")
        for found in [estimate(settings, name, instruments, rate, focus)]
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps({"profile": profile, "instruments": instruments, "rate": rate,
                               "lines": [msgspec.to_builtins(line) for line in lines],
                               "totals": totals}, indent=1))  # fmt: skip
        return 0
    click.echo(f"{instruments:,} instruments, {rate:,.0f} ticks a second, profile {profile}, "
               f"packed entries {settings.compress}\n")  # fmt: skip
    click.echo(f"{'KEY':<20} {'KEYS':>9} {'WRITES/s':>10} {'WRITTEN MB/DAY':>15} {'HELD MB':>10}")
    for line in lines:
        click.echo(f"{line.name:<20} {line.keys:>9,} {line.per_s:>10,.0f} {line.day_mb:>15,.0f} "
                   f"{line.held_mb:>10,.1f}")  # fmt: skip
    click.echo("\nheld at the most, by profile: " + ", ".join(
        f"{name} {told['held_mb']:,.0f} MB" for name, told in totals.items()))  # fmt: skip
    click.echo("give the server's maxmemory half as much again, and the policy noeviction")
    return 0
