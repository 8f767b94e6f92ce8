"""`python -m kitetui`."""

from kitetui.cli.main import main

main()
