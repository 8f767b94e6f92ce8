"""Everything an operator may ask, as typed messages. Keys, scripts and sockets all use these."""

from __future__ import annotations

from typing import Literal

import msgspec

MANY = 1_000
SHOWN = 120
"""Characters of symbols in a line about them."""


class Acknowledge(msgspec.Struct, frozen=True, tag="ack"):
    """Acknowledge an alert as it was seen: nobody acknowledges what they did not see."""

    alert_id: str
    episode: int
    revision: int
    actor: str


class AcknowledgeMany(msgspec.Struct, frozen=True, tag="ack_many"):
    """Acknowledge alerts as they were seen: id, episode and revision of each."""

    seen: tuple[tuple[str, int, int], ...]
    actor: str

    def __post_init__(self) -> None:
        if len(self.seen) > MANY:
            raise ValueError(f"at most {MANY} alerts at once")


class Undo(msgspec.Struct, frozen=True, tag="undo"):
    """Take the actor's last acknowledgement back."""

    actor: str


class Shelve(msgspec.Struct, frozen=True, tag="shelve"):
    """Put an alert, as it was seen, aside for some minutes; 0: for the session."""

    alert_id: str
    episode: int
    revision: int
    minutes: int
    actor: str
    why: str = ""


class Unshelve(msgspec.Struct, frozen=True, tag="unshelve"):
    """Take an alert from the shelf."""

    alert_id: str
    actor: str


class Mute(msgspec.Struct, frozen=True, tag="mute"):
    """Shelve whatever a symbol, a pattern, or one of the other raises; 0 minutes: the session."""

    symbol: str
    pattern: str
    minutes: int
    actor: str
    why: str = ""


class Unmute(msgspec.Struct, frozen=True, tag="unmute"):
    """End a mute."""

    symbol: str
    pattern: str
    actor: str


class LiftBlock(msgspec.Struct, frozen=True, tag="lift"):
    """Make plans again after a drawdown, until the next session."""

    actor: str


class AddRule(msgspec.Struct, frozen=True, tag="add_rule"):
    """Watch for something of the user's own, see `alerts.rule_text`; `until_s`: its end, if any."""

    text: str
    actor: str
    until_s: int = 0


class RemoveRule(msgspec.Struct, frozen=True, tag="remove_rule"):
    """Watch for it no longer."""

    rule_id: str
    actor: str


class Tune(msgspec.Struct, frozen=True, tag="tune"):
    """Have a threshold be otherwise while the engine runs, see `tuning`; '' is what the files say.

    `value` is as it is written in the files: 2.5, off, [2.2, 6].
    """

    key: str
    value: str
    actor: str

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        return f"tune {self.key[:SHOWN]} {self.value[:SHOWN] or 'as in the files'}"


class Untune(msgspec.Struct, frozen=True, tag="untune"):
    """Take the actor's last change of a threshold back."""

    actor: str

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        return "tune undo"


class RedisAction(msgspec.Struct, frozen=True, tag="redis"):
    """Something to be done to Redis, or looked at there.

    Attributes:
        stream: a key of database `db`; group, consumer: of it.
        value: how many entries stay (trim), a place (create, advance), who has entries then
            (claim), a profile (profile).
        dry: say what would happen, and do nothing.
    """

    action: Literal["inspect", "trim", "create", "advance", "claim", "forget", "pause", "resume",
                    "profile"]  # fmt: skip
    actor: str
    db: int = 0
    stream: str = ""
    group: str = ""
    consumer: str = ""
    value: str = ""
    dry: bool = False

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        about = (self.stream, self.group, self.consumer, self.value)
        return " ".join((self.action, *(word for word in about if word)))


class Play(msgspec.Struct, frozen=True, tag="play"):
    """Something that is asked of the player of a recording.

    `value`: seconds, below 0 for back (step); times its own pace, `max`, `faster` or `slower`
    (speed); HH:MM or HH:MM:SS (seek).
    """

    action: Literal["pause", "step", "speed", "seek"]
    actor: str
    value: str = ""


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """Take instruments into the subscription, or out of it; by symbol."""

    symbols: tuple[str, ...]
    actor: str
    on: bool = True

    def __post_init__(self) -> None:
        if len(self.symbols) > MANY:
            raise ValueError(f"at most {MANY} symbols at once")

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        return f"{'watch' if self.on else 'unwatch'} {' '.join(self.symbols)[:SHOWN]}"


class SetMode(msgspec.Struct, frozen=True, tag="mode"):
    """Have instruments sent as `full`, `quote` or `ltp`; no symbols: all."""

    symbols: tuple[str, ...]
    mode: Literal["full", "quote", "ltp"]
    actor: str

    def __post_init__(self) -> None:
        if len(self.symbols) > MANY:
            raise ValueError(f"at most {MANY} symbols at once")

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        return f"mode {self.mode} {' '.join(self.symbols)[:SHOWN] or 'for all'}"


class Reconnect(msgspec.Struct, frozen=True, tag="reconnect"):
    """Drop the connections to the feed and dial anew."""

    actor: str

    @property
    def words(self) -> str:
        """What is asked, in a line."""
        return "reconnect"


FeedCommand = Watch | SetMode | Reconnect
"""What is done to the feed's connections, not to what is known of the market."""

Command = (
    Acknowledge
    | AcknowledgeMany
    | Undo
    | Shelve
    | Unshelve
    | Mute
    | Unmute
    | LiftBlock
    | AddRule
    | RemoveRule
    | Tune
    | Untune
    | RedisAction
    | Play
    | FeedCommand
)


class Result(msgspec.Struct, frozen=True):
    """What became of a command, in words for the operator."""

    done: bool
    text: str
    alert_id: str = ""


def encode(command: Command) -> bytes:
    """A command as a journal record's payload."""
    return msgspec.json.encode(command)


def decode(payload: bytes) -> Command:
    """A command from a journal record's payload.

    Raises:
        msgspec.DecodeError: the payload is no command.
    """
    command: Command = msgspec.json.decode(payload, type=Command)
    return command
