"""Loggers of libraries that write addresses with secrets: heard only when something is wrong.

A level is anybody's to change, as when all loggers are set to DEBUG; a filter stays.
"""

from __future__ import annotations

import logging


def hushed(name: str) -> logging.Logger:
    """A logger that lets nothing through below WARNING, whatever its level."""
    logger = logging.getLogger(name)
    if _only_warnings not in logger.filters:
        logger.addFilter(_only_warnings)
    return logger


def _only_warnings(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING
