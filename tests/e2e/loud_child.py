"""The program with every logger at its loudest, whatever the program itself sets.

Usage: python tests/e2e/loud_child.py ARGUMENT...
"""

from __future__ import annotations

import logging

logging.basicConfig(level=1)
logging.Logger.setLevel = lambda self, level: None  # type: ignore[method-assign]
logging.Manager.disable = property(lambda self: 0, lambda self, value: None)  # type: ignore[assignment]

from kitetui.cli.main import main  # noqa: E402

main()
