"""The notifier: takes notices into the outbox at once, and out of it as each sender allows."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from kitetui.engine.alerts.alert import Priority
from kitetui.engine.alerts.flood import Form, Notice
from kitetui.engine.clock import monotonic_ns, sleep, wall_ns
from kitetui.engine.sinks.notify.outbox import Message, Outbox, is_digest
from kitetui.engine.sinks.notify.sender import Outcome, Sender

NS = 1_000_000_000
BACKLOG = 5
"""Waiting messages of a priority beyond which they go together."""
TOGETHER_MAX = 25
RETRY_S = 5.0
TIDY_S = 600.0
UNTIL = "wait until"

Loudness = Mapping[str, str]
"""`on`, `silent` or `off` for P1, P2, P3 and `digest`."""


class Notifier:
    """Every sender has a task and an order of its own; none waits for another."""

    def __init__(
        self, outbox: Outbox, senders: Sequence[Sender], loudness: Loudness,
        refusal: Callable[[Notice], str], note: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        """`refusal` says why a notice is not to be sent now; '' where it is."""
        self._outbox = outbox
        self._senders = senders
        self._loudness = loudness
        self._refusal = refusal
        self._note = note
        self._wake = {sender.channel: asyncio.Event() for sender in senders}
        self._sent_ns: dict[str, deque[int]] = {s.channel: deque() for s in senders}
        self._states: dict[str, str] = {}
        self._queued = {sender.channel: outbox.queued(sender.channel) for sender in senders}

    def take(self, notices: Iterable[Notice]) -> None:
        """Into the outbox, for each channel, with the loudness of its priority."""
        wanted = []
        for notice in notices:
            name = "digest" if is_digest(notice) else notice.priority.name
            loudness = self._loudness.get(name, "on")
            if loudness != "off":
                wanted.append((notice, loudness == "silent"))
        if not wanted:
            return
        for sender in self._senders:
            try:
                self._outbox.put(sender.channel, wanted, wall_ns() // 1_000_000)
                self._queued[sender.channel] = self._outbox.queued(sender.channel)
            except OSError as error:
                self._note("notify", error.strerror or str(error))
            self._wake[sender.channel].set()

    async def run(self) -> None:
        """Send, for ever."""
        async with asyncio.TaskGroup() as group:
            for sender in self._senders:
                group.create_task(self._serve(sender))
            group.create_task(self._tidy())

    async def close(self) -> None:
        """Let senders and the outbox go; what is not sent stays in it."""
        for sender in self._senders:
            await sender.close()
        self._outbox.close()

    def words(self) -> str:
        """How the channels do, in a few words; '' where all is sent."""
        out = []
        for sender in self._senders:
            queued = self._queued[sender.channel]
            state = self._states.get(sender.channel, "")
            if queued or state:
                out.append(f"{sender.channel} {state} {queued} queued".replace("  ", " "))
        return ", ".join(out)

    def status(self) -> dict[str, object]:
        """Messages by state, for each channel."""
        out: dict[str, object] = {}
        for sender in self._senders:
            state = self._states.get(sender.channel, "")
            try:
                out[sender.channel] = {**self._outbox.counts(sender.channel), "state": state}
            except OSError as error:
                out[sender.channel] = {"state": error.strerror or str(error)}
        return out

    async def _serve(self, sender: Sender) -> None:
        channel = sender.channel
        while True:
            try:
                message = self._outbox.next(channel, wall_ns() // 1_000_000)
                self._queued[channel] = self._outbox.queued(channel) if message else 0
                if message is None:
                    self._wake[channel].clear()
                    await self._wake[channel].wait()
                    continue
                await self._allowed(sender)
                # While it waited something more urgent may have come.
                message = self._outbox.next(channel, wall_ns() // 1_000_000) or message
                await self._send(sender, message)
            except OSError as error:
                self._note("notify", error.strerror or str(error))
                await sleep(RETRY_S)

    async def _send(self, sender: Sender, message: Message) -> None:
        batch = [message]
        if message.priority is not Priority.P1:
            waiting = self._outbox.beside(sender.channel, message, TOGETHER_MAX)
            if len(waiting) > BACKLOG:
                batch = waiting
        valid = [one for one in batch if self._valid(one)]
        if not valid:
            return
        expired = self._outbox.expired(sender.channel)
        extra = f"{expired} older messages expired unsent" if expired else ""
        self._outbox.mark(valid, "sending")
        silent = all(one.silent for one in valid)
        attempts = max(one.attempts for one in valid)
        outcome = await sender.send([one.notice for one in valid], extra, silent=silent,
                                    attempts=attempts)  # fmt: skip
        self._sent_ns[sender.channel].append(monotonic_ns())
        self._settle(sender, valid, outcome)

    def _valid(self, message: Message) -> bool:
        notice = message.notice
        reason = self._refusal(notice) if notice.form in (Form.ALERT, Form.AGAIN) else ""
        if reason:
            self._outbox.mark([message], "refused", reason)
        return not reason

    def _settle(self, sender: Sender, batch: Sequence[Message], outcome: Outcome) -> None:
        channel = sender.channel
        if outcome.sent:
            self._outbox.mark(batch, "sent")
            self._states[channel] = ""
            return
        if outcome.off:
            self._outbox.mark(batch, "queued", outcome.reason)
            self._wait(channel, RETRY_S * 12)
        elif outcome.wait_s is None:
            self._outbox.mark(batch, "failed", outcome.reason)
        else:
            self._outbox.mark(batch, "queued", outcome.reason)
            self._wait(channel, outcome.wait_s)
        if self._states.get(channel) != outcome.reason:
            self._note("notify", f"{channel}: {outcome.reason}")
        self._states[channel] = outcome.reason

    def _wait(self, channel: str, seconds: float) -> None:
        """Nothing leaves for so long, also not after a restart."""
        until_ms = wall_ns() // 1_000_000 + int(seconds * 1000)
        self._outbox.note(channel, UNTIL, str(until_ms))

    async def _allowed(self, sender: Sender) -> None:
        """Wait until another message may leave."""
        channel = sender.channel
        while True:
            until = self._outbox.fact(channel, UNTIL)
            pause_s = (int(until) - wall_ns() // 1_000_000) / 1000 if until else 0.0
            sent, now_ns = self._sent_ns[channel], monotonic_ns()
            while sent and now_ns - sent[0] > 60 * NS:
                sent.popleft()
            if sent:
                pause_s = max(pause_s, sender.spacing_s - (now_ns - sent[-1]) / NS)
            if len(sent) >= sender.per_minute:
                pause_s = max(pause_s, 60 - (now_ns - sent[0]) / NS)
            if pause_s <= 0:
                return
            await sleep(min(pause_s, 1.0))

    async def _tidy(self) -> None:
        while True:
            await sleep(TIDY_S)
            with contextlib.suppress(OSError):
                self._outbox.tidy(wall_ns() // 1_000_000)
