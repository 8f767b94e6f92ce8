"""Run on a terminal of its own: every pane, with hostile or with harmless text."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import Future

from kitetui.app import KiteApp
from kitetui.config import load
from kitetui.engine.commands import Command, Result
from kitetui.engine.snapshot import Snapshot, View
from kitetui.keys import PANES
from tests.links import PictureLink, answered
from tests.widgets import hostile, views


class EvilLink(PictureLink):
    """Answers commands with hostile text as well."""

    words = "done"

    def snapshot(self, wanted: View) -> Future[Snapshot]:
        return answered(self.picture)

    def command(self, command: Command) -> Future[Result]:
        return answered(Result(False, f"{self.words}\n{self.words}"))


async def play(app: KiteApp, link: EvilLink) -> None:
    """Go through the panes and dialogs with each picture."""
    await asyncio.sleep(0.6)
    pictures = hostile.snapshots() if sys.argv[1] == "evil" else [views.snapshot()] * 12
    for at, picture in enumerate(pictures):
        link.picture = picture
        link.words = hostile.EVIL[at] if sys.argv[1] == "evil" else "done"
        for name in PANES:
            app.action_pane(name)
            await asyncio.sleep(0.04)
        for action in ("explain", "history", "silence", "acknowledge", "inspect", "theme"):
            await app.run_action(action)
            await asyncio.sleep(0.04)
        while len(app.screen_stack) > 1:
            app.pop_screen()
    app.exit("stop")


def main() -> None:
    link = EvilLink()
    app = KiteApp(load(overrides=["screen.hz=10"]).screen, link)
    app.call_later(lambda: app.run_worker(play(app, link)))
    app.run(mouse=False)


main()
