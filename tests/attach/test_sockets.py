"""The engine's doors: who may come, what they may do, and what becomes of those who misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import grp
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.engine import commands
from kitetui.engine.commands import Acknowledge, Command
from kitetui.engine.door import sockets
from kitetui.engine.door.doorway import LENGTH, VERSION, Hello, Ping, Pong, framed, read_answered
from kitetui.engine.snapshot import View
from tests.attach.rooms import room, short_folder

T = TypeVar("T")

EVERY_COMMAND: list[Command] = [
    Acknowledge("a", 1, 1, "x"), commands.AcknowledgeMany((("a", 1, 1),), "x"),
    commands.Undo("x"), commands.Shelve("a", 1, 1, 15, "x"), commands.Unshelve("a", "x"),
    commands.Mute("TCS", "", 15, "x"), commands.Unmute("TCS", "", "x"), commands.LiftBlock("x"),
    commands.AddRule("TCS > 1", "x"), commands.RemoveRule("r1", "x"),
    commands.Tune("alerts.min_confidence", "0.5", "x"), commands.Untune("x"),
    commands.RedisAction("pause", "x"), commands.Play("pause", "x"),
    commands.Watch(("TCS",), "x"), commands.SetMode((), "ltp", "x"), commands.Reconnect("x"),
]  # fmt: skip


def aside(work: Callable[..., T], *arguments: Any) -> Any:
    """What callers do blocks; the room's loop is not to wait for it."""
    return asyncio.to_thread(work, *arguments)


async def test_the_role_matrix_every_command_on_either_socket() -> None:
    assert {type(c) for c in EVERY_COMMAND} == set(commands.Command.__args__), "all are here"
    with short_folder() as folder:
        async with room(folder) as there:

            def refused(command: Command) -> None:
                with Caller(folder, "ro") as caller:
                    assert caller.look(View(watch_count=3)).watch
                    with pytest.raises(NotAllowed, match="looking only"):
                        caller.do(command)
                    assert caller.look(View(watch_count=3)).watch, "it is not sent away for it"

            def obeyed(command: Command) -> str:
                with Caller(folder, "rw") as caller:
                    return caller.do(command).text

            for command in EVERY_COMMAND:
                await aside(refused, command)
            assert there.obeyed == []
            for command in EVERY_COMMAND:
                text = await aside(obeyed, command)
                told = there.obeyed[-1]
                assert type(told) is type(command)
                assert told.actor != "x" and text == f"done for {told.actor}", "by the kernel"


BECOME = """
import json, os, socket, sys
groups = json.loads(sys.argv[2])
os.setgroups(groups); os.setgid(65534); os.setuid(65534)
out = {}
for role in ("ro", "rw"):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(f"{sys.argv[1]}/{role}.sock")
        out[role] = True
    except PermissionError:
        out[role] = False
print(json.dumps(out))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users to try the doors")
async def test_the_doors_let_in_whom_the_groups_name() -> None:
    view, operate = grp.getgrnam("games"), grp.getgrnam("mail")
    with short_folder(0o711) as above:
        folder = above / "run"
        folder.mkdir(0o700)
        async with room(folder, {"ro": view.gr_name, "rw": operate.gr_name}):
            for groups, expected in (
                ([], {"ro": False, "rw": False}),
                ([operate.gr_gid], {"ro": False, "rw": False}),  # cannot even enter the folder
                ([view.gr_gid], {"ro": True, "rw": False}),
                ([view.gr_gid, operate.gr_gid], {"ro": True, "rw": True}),
            ):
                found = await aside(
                    subprocess.check_output,
                    [sys.executable, "-c", BECOME, str(folder), json.dumps(groups)],
                )
                assert json.loads(found) == expected, groups


async def test_a_group_that_there_is_not_lets_nobody_in_and_is_told() -> None:
    with short_folder() as folder:
        async with room(folder, {"ro": "no-such-group", "rw": ""}) as there:
            assert there.notes == ["there is no group no-such-group: ro.sock is its owner's alone"]
            modes = {p.name: p.stat().st_mode & 0o777 for p in folder.iterdir()}
            assert modes == {"ro.sock": 0o600, "rw.sock": 0o600}


async def _opened(folder: Path, *messages: Any, role: str = "rw") -> socket.socket:
    plug = socket.socket(socket.AF_UNIX)
    plug.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(plug, str(folder / f"{role}.sock"))
    for message in messages:
        await loop.sock_sendall(plug, framed(message))
    return plug


async def _answer(plug: socket.socket) -> Any:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        (size,) = LENGTH.unpack(await loop.sock_recv(plug, LENGTH.size))
        body = b""
        while len(body) < size:
            body += await loop.sock_recv(plug, size - len(body))
    return read_answered(body)


async def test_the_seventeenth_screen_is_told_and_scripts_still_come_in() -> None:
    with short_folder() as folder:
        async with room(folder) as there:
            plugs = [await _opened(folder, Hello(VERSION, "screen")) for _ in range(16)]
            for plug in plugs:
                assert (await _answer(plug)).role == "rw"
            late = await _opened(folder, Hello(VERSION, "screen"))
            assert "16 screens are here already" in (await _answer(late)).reason

            def script() -> int:
                with Caller(folder, "ro") as caller:
                    return len(caller.look(View(watch_count=5)).watch)

            assert await aside(script) == 5
            plugs.pop().close()
            await asyncio.sleep(0.1)
            plugs.append(await _opened(folder, Hello(VERSION, "screen")))
            assert (await _answer(plugs[-1])).role == "rw", "the place is free again"
            assert len(there.sockets.told(0)) == 16
            for plug in (*plugs, late):
                plug.close()


async def test_a_viewer_of_another_version_is_told_which_end_to_upgrade() -> None:
    with short_folder() as folder:
        async with room(folder):
            for version, end in ((VERSION - 1, "viewer"), (VERSION + 1, "engine")):
                plug = await _opened(folder, Hello(version, "screen"))
                assert f"upgrade the {end}'s kitetui" in (await _answer(plug)).reason
                plug.close()


async def test_names_that_ssh_adds_cannot_forge_or_obey_anything() -> None:
    with short_folder() as folder:
        async with room(folder) as there:
            hello = Hello(VERSION, "screen", "ravi\x1b]0;x\x07 root:", "10.0.0.5\n" + "9" * 500)
            plug = await _opened(folder, hello)
            actor = (await _answer(plug)).actor
            user, _, claimed = actor.partition(":")
            assert claimed.startswith("ravi__0_x__root:@10.0.0.5_99") and user
            assert actor.isprintable() and len(actor) < 100
            assert there.notes == [f"{actor} came (rw)"]
            plug.close()


async def test_who_says_nothing_is_let_go_and_who_pings_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sockets, "SILENT_S", 0.5)
    with short_folder() as folder:
        async with room(folder) as there:
            silent = await _opened(folder, Hello(VERSION, "screen", "silent"))
            half = await _opened(folder)
            half.send(b"\x00\x00")
            alive = await _opened(folder, Hello(VERSION, "screen", "alive"))
            assert (await _answer(alive)).role == "rw"
            for _ in range(4):
                await asyncio.sleep(0.25)
                alive.send(framed(Ping()))
                assert isinstance(await _answer(alive), Pong)
            assert [v.actor.endswith(":alive") for v in there.sockets.screens] == [True]
            for plug in (silent, half, alive):
                plug.close()


async def test_an_alert_nudges_screens_but_never_one_that_does_not_read() -> None:
    with short_folder() as folder:
        async with room(folder) as there:
            screen = await _opened(folder, Hello(VERSION, "screen"))
            await _answer(screen)
            there.sockets.nudge()
            assert type(await _answer(screen)).__name__ == "Nudge"
            for _ in range(200_000):  # far more than a kernel's buffer holds
                there.sockets.nudge()
            (viewer,) = there.sockets.screens
            assert viewer.writer.transport.get_write_buffer_size() < 100
            screen.close()


@pytest.mark.parametrize("view", [
    {"watch_from": -1}, {"watch_count": 1 << 40}, {"buckets": -5}, {"alerts": 1 << 63},
    {"events": 10_001}, {"news": -1}, {"chart": -5}, {"chart_minutes": 0}, {"focus": -1},
    {"focus": 1 << 62}, {"expiry": -(1 << 40)}, {"find": "x" * 600}, {"explain": "y" * 100_000},
    {"watching": {"text": "( [ \\" * 1000}}, {"watching": 7}, {"watch_count": "many"},
])  # fmt: skip
async def test_what_no_screen_asks_for_is_refused_and_the_engine_does_not_notice(
    view: dict[str, Any],
) -> None:
    with short_folder() as folder:
        async with room(folder):
            plug = await _opened(folder, Hello(VERSION, "screen"))
            await _answer(plug)
            body = msgspec.msgpack.encode({"type": "look", "view": view})
            plug.send(LENGTH.pack(len(body)) + body)
            assert (await _answer(plug)).reason.startswith("no question: ")
            plug.close()


async def test_sockets_of_a_dead_engine_are_told_from_a_living_one(tmp_path: Path) -> None:
    with short_folder() as folder:
        left = socket.socket(socket.AF_UNIX)
        left.bind(str(folder / "rw.sock"))
        left.close()  # what a kill leaves: a socket that nobody listens to
        with pytest.raises(NoEngine, match="no engine runs on"):
            Caller(folder)
        async with room(folder):

            def works() -> str:
                with Caller(folder) as caller:
                    return str(caller.status()["state"])

            assert await aside(works) == "LIVE", "and the next engine takes its place"
        assert not list(folder.iterdir())
    with contextlib.suppress(NoEngine):
        Caller(tmp_path / "nowhere")


async def test_a_picture_that_cannot_be_made_ends_nobody_and_is_told_once() -> None:
    with short_folder() as folder:
        async with room(folder) as there:

            def broken(view: View) -> Any:
                raise ZeroDivisionError("a bug")

            there.sockets._snapshot = broken

            def look() -> str:
                with Caller(folder, "ro") as caller:
                    with pytest.raises(NotAllowed) as refused:
                        caller.look(View())
                    assert caller.status()["state"] == "LIVE", "it goes on answering"
                    return str(refused.value)

            assert "cannot be made: ZeroDivisionError: a bug" in await aside(look)
            await aside(look)
            assert sum("cannot be made" in note for note in there.notes) == 1
