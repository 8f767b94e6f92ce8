"""What somebody may ask for over SSH in place of the screen: a few words, and nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from kitetui.cli.options import fail
from kitetui.places import Places

WORDS = ("status --json", "status", "alerts --json", "alerts")


def asked(environ: Mapping[str, str]) -> str:
    """What was asked for; '' is the screen."""
    words = environ.get("SSH_ORIGINAL_COMMAND", "").split()
    return " ".join(words[1:] if words[:1] == ["kitetui"] else words)


def answer(where: Places) -> None:
    """Answer a question of the list and end; return where the screen is asked for.

    Nothing of what was asked is executed: it is looked up.
    """
    words = asked(os.environ)
    if words not in WORDS:
        if words not in ("", "attach") or not sys.stdin.isatty():
            fail(2, f"this key opens the screen (ssh -t), or one of: {', '.join(WORDS)}")
        return
    from kitetui.tools import verbs

    as_json = words.endswith("--json")
    if words.startswith("status"):
        raise SystemExit(verbs.status(where, "", as_json=as_json))
    raise SystemExit(verbs.alerts(where, as_json=as_json, history=False))
