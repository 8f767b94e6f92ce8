"""Redis as a viewer sees it: streams, consumer groups, and what is written there."""

from __future__ import annotations

from kitetui.engine import snapshot as view
from kitetui.engine.health.streams import ServerHealth
from kitetui.engine.sinks.redis.publisher import Publisher


def streams_of(health: ServerHealth) -> tuple[view.Stream, ...]:
    """Stream health as a viewer sees it."""
    return tuple(
        view.Stream(s.name, s.length, s.cap, s.in_per_s, s.groups, s.db, s.rates, s.capped_in_s,
                    s.age_s, s.count, s.ours, s.error, s.server, s.family)
        for s in health.streams
    )  # fmt: skip


def groups_of(health: ServerHealth) -> tuple[view.Group, ...]:
    """Group health as a viewer sees it."""
    return tuple(
        view.Group(
            g.stream, g.name, g.lag, g.lag_at_least, g.lag_s, g.pending, g.idle_s, g.consumers,
            g.out_per_s, g.lost, g.state, g.db, g.oldest_s, g.server,
        )
        for g in health.groups
    )  # fmt: skip


def publication_of(publisher: Publisher) -> view.Publication:
    """What is written to Redis, as a viewer sees it."""
    refusals = publisher.refusals
    troubles = [f"not allowed: {what}" for what in refusals.denied]
    troubles += [f"{word}: {count:,} writes refused" for word, count in refusals.errors.items()
                 if word != "NOPERM"]  # fmt: skip
    return view.Publication(
        publisher.ticks.profile, publisher.state, publisher.reason, publisher.published,
        publisher.spooled, publisher.dropped, publisher.refilled, refusals.had,
        publisher.latency_ms.quantile(0.5), publisher.latency_ms.quantile(0.99),
        publisher.behind_s, tuple(troubles),
    )  # fmt: skip
