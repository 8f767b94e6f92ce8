"""`python -m kitetui`."""

from kitetui.cli import main

main()
