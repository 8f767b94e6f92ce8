"""`kitetui attach`: a screen on an engine that runs elsewhere on this machine."""

from __future__ import annotations

import gc

from kitetui.caller import Caller, NoEngine, NotAllowed
from kitetui.cli.options import EXIT_CONFIG, EXIT_UNAVAILABLE, fail
from kitetui.places import Places
from kitetui.settings import Settings


def attach(where: Places, settings: Settings, *, look_only: bool = False, name: str = "",
           wait: bool = False, duration: float | None = None) -> int:  # fmt: skip
    """Show the engine until the operator leaves; the exit code.

    Args:
        look_only: give the right to acknowledge up; wait: also for an engine that is not there yet.
        name: who looks, where an account is shared.
    """
    if not wait:
        _be_let_in(where, look_only=look_only)
    gc.disable()  # until the first frame: a tenth of the way there
    from kitetui.app import KiteApp
    from kitetui.remote_link import RemoteLink
    from kitetui.screen import run_screen

    link = RemoteLink(where.run, look_only=look_only, name=name)
    try:
        app = KiteApp(settings.screen, link, where.state)
    except ValueError as error:
        fail(EXIT_CONFIG, f"screen.keys: {error}")
    return run_screen(app, link, on_hangup="stop", duration=duration, explain=_explain)  # fmt: skip


def _be_let_in(where: Places, *, look_only: bool) -> None:
    """Say at once, on a screen of its own, where nobody answers or we are not let in."""
    try:
        try:
            Caller(where.run, "ro" if look_only else "rw").close()
        except NotAllowed:
            Caller(where.run, "ro").close()
    except (NoEngine, NotAllowed) as error:
        fail(*_explain(error))


def _explain(error: BaseException) -> tuple[int, str]:
    """The exit code and the sentence for what keeps a screen from an engine.

    Raises:
        BaseException: the error itself, when it is a bug.
    """
    if isinstance(error, NoEngine):
        return EXIT_UNAVAILABLE, (f"{error}; `kitetui --headless` starts one, "
                                  "`kitetui attach --wait` waits for it")  # fmt: skip
    if isinstance(error, NotAllowed):
        return EXIT_CONFIG, str(error)
    raise error
