"""The protocol of viewers: what is sent is what was meant, and nothing else does any harm."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kitetui.engine.commands import Acknowledge, Command, Play, Result, Shelve
from kitetui.engine.door import doorway
from kitetui.engine.door.doorway import (
    ASKED_MAX,
    LENGTH,
    VERSION,
    BadMessage,
    Do,
    Hello,
    Look,
    Picture,
    Ping,
    Receiver,
    Refused,
    Sender,
    Welcome,
    framed,
    length,
    read_answered,
    read_asked,
)
from kitetui.engine.snapshot import View, Watching
from tests.links import MarketLink

VIEWS = st.builds(
    View,
    focus=st.sampled_from([0, 738561, 256265]),
    watch_from=st.integers(0, 40),
    watch_count=st.integers(0, 60),
    watching=st.builds(Watching, sort=st.sampled_from(["", "price", "volume"]),
                       text=st.sampled_from(["", "NIFTY", "!CE"])),
    buckets=st.integers(0, 12),
    volumes=st.booleans(),
    chart=st.integers(0, 30),
    chain=st.booleans(),
)  # fmt: skip


@given(st.lists(VIEWS, min_size=1, max_size=6))
@settings(deadline=None, max_examples=40)
def test_pictures_come_out_as_they_went_in_whatever_was_looked_at_before(views: list[View]) -> None:
    link, sender, receiver = MarketLink(), Sender(), Receiver()
    for view in views:
        told = link.snapshot(view).result()
        message = read_answered(framed(sender.picture(told))[LENGTH.size :])
        assert isinstance(message, Picture)
        assert receiver.snapshot(message) == told


def test_what_did_not_change_is_not_sent_again() -> None:
    link, sender = MarketLink(), Sender()
    view = View(watch_count=40, chain=True)
    whole = len(framed(sender.picture(link.snapshot(view).result())))
    again = sender.picture(link.snapshot(view).result())
    assert again.changed == {}
    moved = sender.picture(link.snapshot(msgspec.structs.replace(view, watch_from=1)).result())
    assert set(moved.changed) == {"watch", "watch_from"}
    assert len(framed(moved)) < whole / 2


COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Acknowledge, st.text(max_size=40), st.integers(0, 9), st.integers(0, 9), st.text()),
    st.builds(Shelve, st.text(), st.integers(0, 9), st.integers(0, 9), st.integers(0, 99),
              st.text(), st.text()),
    st.builds(Play, st.sampled_from(["pause", "step", "speed", "seek"]), st.text(), st.text()),
)  # fmt: skip
ASKED = st.one_of(
    st.builds(Hello, st.integers(0, 1 << 40), st.text(), st.text(), st.text()),
    st.builds(Look, VIEWS), st.builds(Do, COMMANDS), st.just(Ping()),
)  # fmt: skip
ANSWERED = st.one_of(
    st.builds(Welcome, st.integers(0, 9), st.text(), st.text()), st.builds(Refused, st.text()),
    st.builds(doorway.Done, st.builds(Result, st.booleans(), st.text(), st.text())),
    st.builds(doorway.Status, st.binary(max_size=200)),
    st.just(doorway.Nudge()), st.just(doorway.Pong()),
)  # fmt: skip


@given(ASKED)
def test_questions_round_trip(asked: doorway.Asked) -> None:
    data = framed(asked)
    assert length(data[: LENGTH.size], ASKED_MAX) == len(data) - LENGTH.size
    assert read_asked(data[LENGTH.size :]) == asked


@given(ANSWERED)
def test_answers_round_trip(answered: doorway.Answered) -> None:
    assert read_answered(framed(answered)[LENGTH.size :]) == answered


@given(st.one_of(st.binary(max_size=300), ASKED.map(framed)), st.data())
@settings(max_examples=400)
def test_garbage_is_a_message_or_a_reason(body: bytes, data: st.DataObject) -> None:
    """Random bytes, and messages with a byte changed or cut: never anything but `BadMessage`."""
    if len(body) > LENGTH.size and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body) - 1))
        body = body[:at] + bytes([data.draw(st.integers(0, 255))]) + body[at + 1 :]
    body = body[data.draw(st.integers(0, min(len(body), LENGTH.size))) :]
    body = body[: data.draw(st.integers(0, len(body)))]
    for read in (read_asked, read_answered):
        try:
            message = read(body)
        except BadMessage:
            continue
        assert read(framed(message)[LENGTH.size :]) == message


@given(st.dictionaries(st.sampled_from(["header", "watch", "watch_from", "nothing"]),
                       st.binary(max_size=50)))  # fmt: skip
def test_a_picture_that_is_none_is_a_reason(parts: dict[str, bytes]) -> None:
    with pytest.raises(BadMessage):
        Receiver().snapshot(Picture({name: msgspec.Raw(raw) for name, raw in parts.items()}))


def test_a_length_that_nobody_sends_is_refused_before_anything_is_read() -> None:
    with pytest.raises(BadMessage, match="at most"):
        length(b"\xff\xff\xff\xff", ASKED_MAX)
    assert VERSION >= 2
