"""A Redis server's own figures: memory and where it goes, clients, load, persistence, role."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from statistics import linear_regression

import msgspec

from kitetui.engine.replies import server_words

TREND_EVERY_S, TREND_SAMPLES, TREND_LEAST = 5.0, 120, 36
"""Ten minutes are looked at, and three at least: streams fill to their caps at first, and stop."""


class SlowCall(msgspec.Struct, frozen=True):
    """One line of the slow log."""

    at_s: int
    took_ms: float
    command: str


class ServerStats(msgspec.Struct, frozen=True):
    """What INFO says, and what follows from it.

    Attributes:
        limit_mb: maxmemory; 0 where there is none. system_mb: of the machine.
        growth_mb_h: the trend of the memory used; None before it is known.
        full_in_s: until the limit (or the machine's memory) at this trend; None for never.
        keys: by database.
    """

    version: str = ""
    role: str = ""
    used_mb: float = 0.0
    peak_mb: float = 0.0
    limit_mb: float = 0.0
    system_mb: float = 0.0
    policy: str = ""
    growth_mb_h: float | None = None
    full_in_s: float | None = None
    clients: int = 0
    blocked: int = 0
    ops_per_s: int = 0
    in_kb_s: float = 0.0
    out_kb_s: float = 0.0
    evicted: int = 0
    rejected: int = 0
    keys: dict[int, int] = {}
    persistence: str = ""
    link: str = ""
    slow: tuple[SlowCall, ...] = ()
    slow_count: int = 0
    uptime_s: int = 0


class Trend:
    """The memory used over the last polls."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float]] = deque(maxlen=TREND_SAMPLES)

    def add(self, now_s: float, used_mb: float) -> None:
        """Take a sample, if it is time for one."""
        if not self._samples or now_s - self._samples[-1][0] >= TREND_EVERY_S:
            self._samples.append((now_s, used_mb))

    @property
    def mb_per_s(self) -> float | None:
        """Slope by least squares; None before there are enough samples."""
        if len(self._samples) < TREND_LEAST:
            return None
        at_s, used_mb = zip(*self._samples, strict=True)
        return linear_regression(at_s, used_mb).slope


def read_stats(info: Mapping[str, str], slow: tuple[SlowCall, ...], slow_count: int, policy: str,
               slope: float | None) -> ServerStats:  # fmt: skip
    """The figures of an INFO answer."""
    used = _number(info, "used_memory") / 1e6
    limit, system = _number(info, "maxmemory") / 1e6, _number(info, "total_system_memory") / 1e6
    room = (limit or system) - used
    full_in_s = room / slope if slope is not None and slope > 0 and room > 0 else None
    return ServerStats(
        version=server_words(info),
        role=info.get("role", ""),
        used_mb=used,
        peak_mb=_number(info, "used_memory_peak") / 1e6,
        limit_mb=limit,
        system_mb=system,
        policy=policy or info.get("maxmemory_policy", ""),
        growth_mb_h=None if slope is None else slope * 3600,
        full_in_s=full_in_s,
        clients=int(_number(info, "connected_clients")),
        blocked=int(_number(info, "blocked_clients")),
        ops_per_s=int(_number(info, "instantaneous_ops_per_sec")),
        in_kb_s=_number(info, "instantaneous_input_kbps"),
        out_kb_s=_number(info, "instantaneous_output_kbps"),
        evicted=int(_number(info, "evicted_keys")),
        rejected=int(_number(info, "rejected_connections")),
        keys=_keys(info),
        persistence=_persistence(info),
        link=_link(info),
        slow=slow,
        slow_count=slow_count,
        uptime_s=int(_number(info, "uptime_in_seconds")),
    )


def _number(info: Mapping[str, str], name: str) -> float:
    try:
        return float(info.get(name, "0"))
    except ValueError:
        return 0.0


def _keys(info: Mapping[str, str]) -> dict[int, int]:
    out = {}
    for name, value in info.items():
        if name.startswith("db") and name[2:].isdigit() and value.startswith("keys="):
            count = value[5:].split(",", 1)[0]
            if count.isdigit():
                out[int(name[2:])] = int(count)
    return out


def _persistence(info: Mapping[str, str]) -> str:
    """What a restart would find, in words."""
    if info.get("loading") == "1":
        return "loading"
    said = []
    if info.get("aof_enabled") == "1":
        good = info.get("aof_last_write_status", "ok") == "ok"
        said.append("append-only file" if good else "append-only file FAILS")
    if info.get("rdb_last_bgsave_status", "ok") != "ok":
        said.append("snapshots FAIL")
    elif int(_number(info, "rdb_last_save_time")) and not said:
        said.append("snapshots")
    return ", ".join(said) or "none"


def _link(info: Mapping[str, str]) -> str:
    """How replication does, in words; empty where there is none."""
    if info.get("role") in ("slave", "replica"):
        state = info.get("master_link_status", "?")
        return f"replica, primary {state}, {info.get('master_last_io_seconds_ago', '?')} s ago"
    replicas = int(_number(info, "connected_slaves"))
    if not replicas:
        return ""
    ours = _number(info, "master_repl_offset")
    behind = 0.0
    for at in range(replicas):
        parts = dict(p.partition("=")[::2] for p in info.get(f"slave{at}", "").split(","))
        behind = max(behind, ours - _number(parts, "offset"))
    return f"{replicas} replicas, at most {behind:,.0f} bytes behind"
