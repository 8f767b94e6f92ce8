"""`kitetui`: puts engine, source and screen together, and takes them down in order."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import os
import re
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from kitetui.cli.options import (
    EXIT_AGAIN,
    EXIT_AUTH,
    EXIT_CONFIG,
    EXIT_RUNNING,
    EXIT_UNAVAILABLE,
    Asked,
    fail,
    looks,
)
from kitetui.config import ConfigError, load
from kitetui.places import Places, places
from kitetui.recordings import NoRecording, journals_of
from kitetui.settings import Settings

MIN_COLUMNS, MIN_LINES = 80, 24
ENDS_WITHIN_S = 8.0
"""An engine that was told to end is gone by then."""
if TYPE_CHECKING:
    from kitetui.engine.feed.replay import Replay

_HOUR = re.compile(r"([01]\d|2[0-3]):[0-5]\d$")


def run(*, demo: bool, headless: bool, duration: float | None, as_json: bool,
        replay: str | None, begin: str | None, source: str | None, speed: str | None, seed: int,
        lite: bool, ascii_: bool, mouse: bool, run_folder: Path | None,
        asked: Asked) -> int:  # fmt: skip
    """Run until stopped; the exit code."""
    asked = asked._replace(overrides=looks(asked.overrides, lite=lite, ascii_=ascii_,
                                            mouse=mouse))  # fmt: skip
    if speed is not None and not (demo or replay):
        fail(2, "--speed goes with --demo or --replay; for an accelerated feed set feed.speed")
    if demo and replay:
        fail(2, "--demo and --replay are two different sources; choose one")
    if source is not None:
        if demo or replay:
            fail(2, "--source names a live feed; --demo and --replay are none")
        asked = asked._replace(overrides=(*asked.overrides, f"feed.source={source}"))
    if begin is not None and not replay:
        fail(2, "--from goes with --replay")
    if begin is not None and not _HOUR.match(begin):
        fail(2, f"--from {begin}: expected an hour such as 10:55")
    if not headless:
        check_terminal()
    try:
        settings = load(asked.config_dir, asked.overrides)
        where = places(asked.state, asked.profile, run_folder)
    except ConfigError as error:
        fail(EXIT_CONFIG, str(error))
    if not _lock_in_time(where):
        if headless or demo or replay or source:
            fail(
                EXIT_RUNNING,
                f"an engine already runs on {where.state}; --profile NAME or --state DIR gives a "
                "second one; `kitetui attach` shows this one",
            )
        from kitetui.attach import attach

        return attach(where, settings, duration=duration)
    recorded = None if replay is None else _recorded(replay, where, speed, begin)
    starter = Starter(settings, where, asked, demo=demo, replay=recorded, speed=speed, seed=seed,
                      linger=not headless)  # fmt: skip
    gc.disable()  # until the engine serves or the first frame is there: a tenth of the way
    if headless:
        return _run_headless(starter, duration, as_json)
    from kitetui.app import KiteApp
    from kitetui.link import LocalLink
    from kitetui.screen import run_screen

    link = LocalLink(starter)
    try:
        app = KiteApp(settings.screen, link, where.state)
    except ValueError as error:
        fail(EXIT_CONFIG, f"screen.keys: {error}")
    return run_screen(
        app,
        link,
        on_hangup=settings.screen.on_hangup,
        duration=duration,
        report=_print_status if as_json else None,
        explain=explain,
    )


def _print_status(status: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(status, option=orjson.OPT_INDENT_2))


def _lock_in_time(where: Places) -> bool:
    """The same, where the engine that holds it is about to end: it answers nobody any more."""
    from kitetui.engine.clock import monotonic_ns, pause

    until_ns = monotonic_ns() + int(ENDS_WITHIN_S * 1e9)
    while not _lock(where):
        if _answers(where) or monotonic_ns() > until_ns:
            return False
        pause(0.1)
    return True


def _answers(where: Places) -> bool:
    from kitetui.caller import Caller, NoEngine, NotAllowed

    try:
        Caller(where.run, "ro").close()
    except NoEngine:
        return False
    except NotAllowed:
        pass
    return True


def _lock(where: Places) -> bool:
    """Hold the state folder until this process ends; False where an engine holds it."""
    handle = os.open(where.state / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return False
    return True


class Starter:
    """Brings an engine up, with its simulated exchange where one is asked for."""

    def __init__(self, settings: Settings, where: Places, asked: Asked, *, demo: bool,
                 replay: Replay | None, speed: str | None, seed: int,
                 linger: bool) -> None:  # fmt: skip
        from kitetui.engine.feed import credentials

        self.settings = settings
        self._where = where
        self._demo = demo
        self._replay = replay
        self._speed = speed
        self._exchange: Any = None
        self._consumer: Any = None
        self._asked = asked
        self._linger = linger
        if demo:
            from kitetui.demo import DEMO_SPEED, DemoExchange

            self._demo_speed = _speed(speed) or str(DEMO_SPEED)
            self._exchange = DemoExchange(self._demo_speed, ("--seed", str(seed)))
        elif replay is None and settings.feed.source == "kite":
            try:
                credentials.read(where.credentials)
            except credentials.CredentialsError as error:
                fail(EXIT_AUTH, str(error))

    def start(self) -> Any:
        """A started engine; `wait_ready` tells how it went.

        Raises:
            DemoError: the simulated exchange did not come up.
            ConfigError: a plugin cannot be loaded.
        """
        from kitetui.engine.feed import credentials
        from kitetui.engine.plugins import load_plugins
        from kitetui.engine.runtime import Engine, EnginePlan

        load_plugins()
        if self._demo:
            from kitetui.demo import demo_credentials

            hello = self._exchange.hello()
            self._asked = self._asked._replace(overrides=(
                *self._asked.overrides, f"feed.url={hello['ws_url']}",
                f"feed.rest_url={hello['rest_url']}", f"feed.speed={self._demo_speed}",
                f"news.feeds=[{{url: '{hello['rest_url']}/news', every_s: 5}}]",
            ))  # fmt: skip
            self.read()
            found = demo_credentials(hello)
            plan = EnginePlan(places=self._where, credentials=lambda: found, simulated=True)
        elif self._replay is not None:
            plan = EnginePlan(places=self._where, replay=self._replay, linger=self._linger,
                              pinned=self._asked.given)  # fmt: skip
        elif self.settings.feed.source == "redis":
            plan = EnginePlan(places=self._where)
        else:
            path = self._where.credentials
            plan = EnginePlan(places=self._where, credentials=lambda: credentials.read(path))
        engine = Engine(self.settings, plan)
        engine.start()
        redis = self.settings.redis
        if self._demo and redis.url == "embedded":
            from kitetui.demo import DemoConsumer

            store = redis.stores["continuous_market"]
            self._consumer = DemoConsumer(
                self._where.redis / "valkey.sock",
                store.prefix + redis.keys["processed_stream"],
                store.db,
            )
        return engine

    def read(self) -> Settings:
        """The settings as the files have them now; they are in force from here on.

        Raises:
            ConfigError: they would not do; those before stay.
        """
        from kitetui.engine.plugins import load_checked

        self.settings = load_checked(self._asked.config_dir, self._asked.overrides)
        return self.settings

    def stop(self) -> None:
        """Take the exchange and the demo's consumer down."""
        if self._consumer is not None:
            self._consumer.stop()
        if self._exchange is not None:
            self._exchange.stop()


def _recorded(text: str, where: Places, speed: str | None, begin: str | None) -> Replay:
    """What is to be played: the journals of a path, of a folder, or of a date."""
    from kitetui.engine.feed.replay import Replay
    from kitetui.engine.sinks.black_box import in_box

    pace = _speed(speed) or "1"
    try:
        paths = journals_of(text, where)
    except NoRecording as error:
        fail(EXIT_CONFIG, str(error))
    return Replay(paths, None if pace == "max" else float(pace), begin or "",
                  in_box(Path(text)))  # fmt: skip


def _speed(text: str | None) -> str | None:
    if text is None or text == "max":
        return text
    try:
        if float(text) > 0:
            return text
    except ValueError:
        pass
    return fail(2, f"--speed {text}: expected a number above 0, or max")


def _run_headless(starter: Starter, duration: float | None, as_json: bool) -> int:
    stop = threading.Event()
    reload = threading.Event()
    killed: list[int] = []
    at_terminal = sys.stdin is not None and sys.stdin.isatty()

    def on_signal(number: int, _: Any) -> None:
        if number == signal.SIGHUP and not at_terminal:  # a service is told to read its settings
            reload.set()
            return
        if killed:
            os._exit(128 + number)
        killed.append(number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, on_signal)
    try:
        engine = starter.start()
        threading.Thread(target=_reload_when, args=(reload, starter, engine), daemon=True).start()
        code = _supervise(engine, stop, duration)
        status = engine.status()
    except Exception as error:  # noqa: BLE001 - a bug is raised again by explain
        starter.stop()
        fail(*explain(error))
    starter.stop()
    if as_json:
        _print_status(status)
    return code


def _supervise(engine: Any, stop: threading.Event, duration: float | None) -> int:
    try:
        threading.Thread(target=_stop_with, args=(engine, stop), daemon=True).start()
        engine.wait_ready(30)
        stop.wait(duration)
    finally:
        engine.stop()
    if engine.error is not None:
        raise engine.error
    return 0


def _reload_when(asked: threading.Event, starter: Starter, engine: Any) -> None:
    """Read the settings whenever that is asked for; where they would not do, go on as before."""
    from kitetui.tools.settings import differences

    while asked.wait():
        asked.clear()
        before = starter.settings
        try:
            after = starter.read()
        except ConfigError as error:
            click.echo(f"kitetui: the settings stay as they are: {error}", err=True)
            continue
        changed = differences(msgspec.to_builtins(before), msgspec.to_builtins(after))
        if not changed:
            click.echo("kitetui: the settings have not changed", err=True)
            continue
        for line in changed:
            click.echo(f"kitetui: {line}", err=True)
        engine.renew(after)


def _stop_with(engine: Any, stop: threading.Event) -> None:
    engine.wait()
    stop.set()


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for what kept the engine from running.

    Raises:
        BaseException: the error itself, when it is a bug.
    """
    from kitetui.demo import DemoError
    from kitetui.engine.feed.credentials import CredentialsError
    from kitetui.engine.feed.journal_reader import JournalError
    from kitetui.engine.memory import MemoryCapError
    from kitetui.engine.sinks.redis.embedded import RedisUnavailable
    from kitetui.engine.state import StateError

    if isinstance(error, StateError):
        return EXIT_UNAVAILABLE, (f"the checkpoint does not fit ({error}) and was removed; "
                                  "start again: the day's journals are played")  # fmt: skip
    if isinstance(error, MemoryCapError):
        return EXIT_AGAIN, str(error)
    if isinstance(error, CredentialsError):
        return EXIT_AUTH, str(error)
    if isinstance(error, (JournalError, ConfigError)):
        return EXIT_CONFIG, str(error)
    if isinstance(error, (RedisUnavailable, DemoError)):
        return EXIT_UNAVAILABLE, str(error)
    if isinstance(error, OSError):
        return EXIT_UNAVAILABLE, f"{error.filename or 'system'}: {error.strerror or error}"
    raise error


def check_terminal() -> None:
    """The screen needs a terminal that can show it; each lack has its own answer."""
    if "WebDriver" in os.environ.get("TEXTUAL_DRIVER", ""):  # a browser is the terminal
        return
    hint = "run kitetui --headless for the engine without the screen"
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        fail(2, f"standard input, output and error must be a terminal; {hint}")
    if os.environ.get("TERM", "dumb") in ("dumb", ""):
        fail(2, f"TERM=dumb cannot show a screen; {hint}")
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding not in ("utf8", "utf8sig"):
        fail(
            2,
            f"the locale's encoding is {encoding or 'unknown'}, not UTF-8; "
            f"set LANG=C.UTF-8, or {hint}",
        )
    with contextlib.suppress(OSError):
        size = os.get_terminal_size()
        if 0 < size.columns < MIN_COLUMNS or 0 < size.lines < MIN_LINES:
            click.echo(
                f"kitetui: the terminal is {size.columns}x{size.lines}; the screen needs "
                f"{MIN_COLUMNS}x{MIN_LINES} and says so until it is enlarged",
                err=True,
            )
