"""Prometheus' text format, of the status document.

Names of streams and groups are those of redis_exporter, so that its dashboards fit; the rest begins
with `kitetui_`. Labels hold names of a fixed list, or those of streams: never a symbol, never text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

STREAMS_MAX = 200
Sample = tuple[dict[str, str], float]
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_STATES = ("CONNECTING", "LIVE", "STALE", "RECONNECTING", "AUTH_EXPIRED", "REFUSED", "CLOSED")


def exposition(status: dict[str, Any], version: str, ready: bool) -> str:
    """All metrics of an engine."""
    out: list[str] = []
    for name, kind, help_, samples in _families(status, version, ready):
        lines = [f"{name}{_labels(labels)} {value:.10g}" for labels, value in samples]
        if lines:
            out += [f"# HELP {name} {help_}", f"# TYPE {name} {kind}", *lines]
    return "\n".join(out) + "\n"


def _families(s: dict[str, Any], version: str,
              ready: bool) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:  # fmt: skip
    ticks, feed, redis, alerts = s["ticks"], s["feed"], s["redis"], s["alerts"]
    journal, lag = s["journal"], s["loop_lag_ms"]
    yield _one("kitetui_build_info", "gauge", "The version that runs.", 1, version=version)
    yield _one("kitetui_ready", "gauge", "Whether /readyz says so.", ready)
    yield _one("kitetui_uptime_seconds", "gauge", "Since the engine's start.", s["uptime_s"])
    yield (
        "kitetui_ticks_total",
        "counter",
        "Ticks by what became of them.",
        [({"outcome": name}, ticks[name]) for name in ("used", "duplicates", "late", "rejected")],
    )
    yield _one("kitetui_ticks_per_second", "gauge", "Ticks of the last second.", ticks["per_s"])
    yield _one("kitetui_frames_total", "counter", "WebSocket frames.", feed["frames"])
    yield ("kitetui_frames_bad_total", "counter", "Frames and parts that could not be read.",
           [({"why": "frame"}, feed["bad_frames"]), ({"why": "trailing"}, feed["trailing_bytes"]),
            ({"why": "record"}, feed["unreadable_records"])])  # fmt: skip
    yield (
        "kitetui_ws_state",
        "gauge",
        "1 for the state that a connection is in.",
        [
            ({"connection": str(n), "state": state}, float(link["state"] == state))
            for n, link in enumerate(feed["connections"])
            for state in _STATES
        ],
    )
    yield _one(
        "kitetui_ws_reconnects_total",
        "counter",
        "Times that a connection came back.",
        feed["reconnects"],
    )
    yield (
        "kitetui_ws_closes_total",
        "counter",
        "Closed sockets by code.",
        [({"code": code}, count) for code, count in feed["closes"].items()],
    )
    yield _one("kitetui_feed_gaps", "gauge", "Gaps of this session.", len(feed["gaps"]))
    if feed["last_frame_age_s"] is not None:
        yield _one(
            "kitetui_tick_age_seconds", "gauge", "Since the newest frame.", feed["last_frame_age_s"]
        )
    yield (
        "kitetui_latency_seconds",
        "gauge",
        "From a frame's receipt to what follows from it.",
        _quantiles(s["latency_ms"]),
    )
    yield (
        "kitetui_loop_lag_seconds",
        "gauge",
        "How late the engine's loop is.",
        [({"percentile": "99"}, lag["p99"] / 1e3), ({"percentile": "100"}, lag["max"] / 1e3)],
    )
    yield _one("kitetui_loop_stalls_total", "counter", "Times that the loop stood.", lag["stalls"])
    yield _one("kitetui_bars_total", "counter", "Bars closed.", s["bars"]["closed"])
    yield ("kitetui_alerts_total", "counter", "Candidates, and what became of them.",
           [({"stage": "candidate", "reason": ""}, alerts["candidates"]),
            ({"stage": "admitted", "reason": ""}, alerts["admitted"]),
            *(({"stage": "dropped", "reason": reason}, count)
              for reason, count in alerts["by_reason"].items())])  # fmt: skip
    yield (
        "kitetui_alerts_by_priority_total",
        "counter",
        "Candidates by priority and fate.",
        [({"priority": name, "fate": fate}, count)
         for name, fates in alerts["by_priority"].items() for fate, count in fates.items()],
    )  # fmt: skip
    yield _one("kitetui_alerts_unacknowledged", "gauge", "Alerts that wait.", alerts["unacked"])
    yield _one("kitetui_annunciations_total", "counter", "Messages to people.", alerts["told"])
    yield _one("kitetui_flood", "gauge", "Whether alerts go into digests.", alerts["flood"])
    yield ("kitetui_outbox_messages", "gauge", "Messages to a channel by what became of them.",
           [({"channel": name, "state": state}, count) for name, told in s["notify"].items()
            for state, count in told.items() if isinstance(count, int)])  # fmt: skip
    yield _one(
        "kitetui_redis_up", "gauge", "Whether Redis takes what is written.", redis["state"] == "ok"
    )
    yield (
        "kitetui_redis_messages_total",
        "counter",
        "Messages by what became of them.",
        [
            ({"outcome": name}, redis[name])
            for name in ("published", "dropped", "refilled", "refused")
        ],
    )
    yield _one("kitetui_redis_spooled", "gauge", "Messages that wait for Redis.", redis["spooled"])
    yield (
        "kitetui_redis_latency_seconds",
        "gauge",
        "From a message's making to Redis' reply.",
        _quantiles(redis["latency_ms"]),
    )
    yield _one("kitetui_journal_bytes", "gauge", "Size of the journal's file.", journal["bytes"])
    yield _one(
        "kitetui_journal_failed",
        "gauge",
        "Whether the journal cannot be written.",
        bool(journal.get("failed")),
    )
    if journal["synced_age_s"] is not None:
        yield _one("kitetui_journal_unsynced_seconds", "gauge", "Since what is on the disk for "
                   "certain.", journal["synced_age_s"])  # fmt: skip
    yield _one("kitetui_viewers", "gauge", "Screens that are attached.", len(s["viewers"]))
    yield _one("kitetui_memory_bytes", "gauge", "Resident memory.", s["memory_mb"] * 1e6)
    yield from _redis_streams(s)


def _redis_streams(s: dict[str, Any]) -> Iterator[tuple[str, str, str, Iterable[Sample]]]:
    streams, groups = s["streams"][:STREAMS_MAX], s["groups"][:STREAMS_MAX]
    of_stream = [({"db": f"db{x['db']}", "stream": x["name"]}, x) for x in streams]
    of_group = [({"db": f"db{x['db']}", "stream": x["stream"], "group": x["name"]}, x)
                for x in groups]  # fmt: skip
    yield (
        "redis_stream_length",
        "gauge",
        "Entries of a stream, or of a family of them.",
        [(labels, x["length"]) for labels, x in of_stream],
    )
    yield (
        "kitetui_stream_cap",
        "gauge",
        "The length at which a stream is trimmed.",
        [(labels, x["cap"]) for labels, x in of_stream],
    )
    yield (
        "redis_stream_groups",
        "gauge",
        "Consumer groups of a stream.",
        [(labels, x["groups"]) for labels, x in of_stream],
    )
    yield (
        "redis_stream_group_lag",
        "gauge",
        "Entries that a group has not been given.",
        [(labels, x["lag"]) for labels, x in of_group if x["lag"] is not None],
    )
    yield ("redis_stream_group_messages_pending", "gauge", "Entries that a group has not "
           "acknowledged.", [(labels, x["pending"]) for labels, x in of_group])  # fmt: skip
    yield (
        "redis_stream_group_consumers",
        "gauge",
        "Consumers of a group.",
        [(labels, x["consumers"]) for labels, x in of_group],
    )
    yield (
        "kitetui_stream_group_lost_total",
        "counter",
        "Entries trimmed before a group read them.",
        [(labels, x["lost"]) for labels, x in of_group if x["lost"] is not None],
    )


def _one(name: str, kind: str, help_: str, value: float,
         **labels: str) -> tuple[str, str, str, Iterable[Sample]]:  # fmt: skip
    return name, kind, help_, [(labels, float(value))]


def _quantiles(told: dict[str, float]) -> list[Sample]:
    return [({"percentile": q}, told[name] / 1e3)
            for q, name in (("50", "p50"), ("99", "p99"), ("100", "max"))]  # fmt: skip


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
