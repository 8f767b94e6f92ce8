"""What we detect: plain functions over arrays. Importing the package registers the families."""

from kitetui.engine.patterns import breakout, volume

__all__ = ["breakout", "volume"]
