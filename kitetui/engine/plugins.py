"""Plugins: detectors of other packages, found by the entry point group `kitetui.detectors`.

Each entry point names a module; importing it registers its detectors. See docs/plugins.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

import kitetui.engine.patterns  # noqa: F401 - registers our own
from kitetui.config import ConfigError, load
from kitetui.engine.patterns.registry import check, registry
from kitetui.settings import Settings

GROUP = "kitetui.detectors"


def load_checked(folder: Path | None, overrides: Sequence[str]) -> Settings:
    """Settings by which every detector, plugins' too, can look.

    Raises:
        ConfigError: names what cannot be used.
    """
    load_plugins()
    settings = load(folder, overrides)
    check(settings.patterns)
    return settings


_loaded: dict[str, tuple[str, ...]] = {}


def load_plugins() -> dict[str, tuple[str, ...]]:
    """Import every plugin once; the patterns that each brought, by the entry point's name.

    Raises:
        ConfigError: a plugin cannot be imported, brings nothing, or takes a name that is taken.
    """
    for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
        if point.name in _loaded:
            continue
        package = point.dist.name if point.dist is not None else "an unknown package"
        before = dict(registry())
        try:
            point.load()
        except Exception as error:
            raise ConfigError(
                f"plugin {point.name} of {package} cannot be loaded: {type(error).__name__}: "
                f"{error}; mend it, or pip uninstall {package}"
            ) from error
        found = registry()
        taken = [name for name, known in before.items() if found[name] is not known]
        if taken:
            raise ConfigError(
                f"plugin {point.name} of {package}: a pattern is called {taken[0]} already"
            )
        _loaded[point.name] = tuple(name for name in found if name not in before)
        if not _loaded[point.name]:
            raise ConfigError(f"plugin {point.name} of {package} registers no detector")
    return _loaded
