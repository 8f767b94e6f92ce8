"""The Redis panes by keys: a closer look, and what may be done, each once confirmed."""

from __future__ import annotations

from typing import Any

import msgspec
from textual import work

from kitetui.actions.engine import EngineActions
from kitetui.engine.commands import RedisAction
from kitetui.engine.snapshot import Group, Stream
from kitetui.widgets.dialogs import ChoiceScreen, ListScreen, PromptScreen
from kitetui.widgets.lag import LagPane
from kitetui.widgets.safe_text import clean
from kitetui.widgets.streams import StreamsPane

STREAM_ACTIONS = (("t", "trim", "trim it"), ("g", "create", "create a consumer group"))
GROUP_ACTIONS = (
    ("v", "advance", "advance it: to the end, the beginning or an id"),
    ("m", "claim", "give a dead consumer's pending entries to another"),
    ("d", "forget", "delete a dead consumer"),
)
PUBLICATION = (
    ("p", "pause", "pause publication"), ("r", "resume", "resume publication"),
    ("s", "profile", "switch the profile"),
)  # fmt: skip
_VALUES = {
    "trim": ("How many entries stay?", "50000", "a number"),
    "create": ("Name of the group, and where it begins", "features $", "NAME $ or NAME 0"),
    "advance": ("Where to?", "$", "$ for the end, 0 for the beginning, or an id"),
    "claim": ("Whose entries, and who has them then?", "dead alive", "TWO CONSUMERS"),
    "forget": ("Which consumer?", "dead", "a consumer of the group"),
    "profile": ("Which profile?", "lean", "full, lean, packed or alerts: no ticks at all"),
}


class StreamActions(EngineActions):
    """An app whose keys reach Redis through the engine."""

    def _about(self) -> Stream | Group | None:
        """The stream or group under the cursor of the pane that has the focus, if it is ours to
        touch: servers of redis.watch are only looked at, and families are many streams."""
        about: Stream | Group | None = None
        if self._active == "streams":
            about = self._base.query_one(StreamsPane).selected
        elif self._active == "lag":
            about = self._base.query_one(LagPane).selected
        if about is None or (isinstance(about, Stream) and about.family):
            return None
        servers = self._snapshot.servers if self._snapshot is not None else ()
        if servers and about.server != servers[0].name:
            self._say(f"{about.server} is only looked at", done=False)
            return None
        return about

    def _action(self, about: Stream | Group | None, **values: Any) -> RedisAction:
        """An action on what was under the cursor when it was asked for."""
        if isinstance(about, Group):
            values |= {"db": about.db, "stream": about.stream, "group": about.name}
        elif about is not None:
            values |= {"db": about.db, "stream": about.name}
        return RedisAction(actor=self._actor, **values)

    async def action_inspect(self) -> None:
        """The newest entries of the stream, or the consumers of the group, under the cursor."""
        about = self._about()
        if about is None:
            return
        told = await self._ask(self._action(about, action="inspect"))
        if told is not None and told.done:
            title, *lines = told.text.splitlines()
            self.push_screen(ListScreen(title, lines))
        elif told is not None:
            self._say(told.text, done=False)

    @work
    async def action_operate(self) -> None:
        """Ask what to do, what exactly, whether it shall be as counted; then do it."""
        about = self._about()
        choices = GROUP_ACTIONS if isinstance(about, Group) else STREAM_ACTIONS if about else ()
        name = clean(about.name) if about is not None and choices else "Redis"
        offered = (*choices, *PUBLICATION, ("c", "", "cancel"))
        chosen = await self.push_screen_wait(ChoiceScreen(f"{name}: what to do?", offered))
        if not chosen:
            return
        action = self._action(about, action=chosen)
        if chosen in _VALUES:
            typed = await self.push_screen_wait(PromptScreen(*_VALUES[chosen]))
            if not (typed and typed.strip()):
                return
            action = _filled(action, typed.split())
        would = await self._ask(msgspec.structs.replace(action, dry=True))
        if would is None or not would.done:
            if would is not None:
                self._say(would.text, done=False)
            return
        if await self.push_screen_wait(ChoiceScreen(
            would.text, (("y", "yes", "do it"), ("n", "", "no")))):  # fmt: skip
            await self._send(action)


def _filled(action: RedisAction, words: list[str]) -> RedisAction:
    """An action with what was typed for it."""
    if action.action == "create":
        place = words[1] if len(words) > 1 else "$"
        return msgspec.structs.replace(action, group=words[0], value=place)
    if action.action == "claim":
        taker = words[1] if len(words) > 1 else ""
        return msgspec.structs.replace(action, consumer=words[0], value=taker)
    if action.action == "forget":
        return msgspec.structs.replace(action, consumer=words[0])
    return msgspec.structs.replace(action, value=words[0])
