"""kitetui: the terminal cockpit for Indian markets."""

__version__ = "0.1.0"
