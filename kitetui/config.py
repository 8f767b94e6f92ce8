"""Loads the settings: defaults, a user's folder over them, --set over both; checks them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Formatter
from typing import Any

import msgspec
import yaml

from kitetui.redis_contract import CHANNELS, KEYS
from kitetui.redis_url import is_usable
from kitetui.secret import redacted, redacted_url
from kitetui.settings import RedisSettings, Settings
from kitetui.symbol_lists import MARK, ListError, expanded

FILES = {
    "kitetui.yaml": "",
    "redis.yaml": "redis",
    "fields.yaml": "fields",
    "thresholds.yaml": "thresholds",
    "universe.yaml": "universe",
    "calendar.yaml": "calendar",
    "alerts.yaml": "alerts",
}
"""Each file of a config folder and the section it fills; '' is the top of the tree."""

MAX_FILE_BYTES = 1 << 20
DEEPEST = 40
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C reads the defaults in a seventh of the time."""
_OPENS = (yaml.BlockMappingStartToken, yaml.BlockSequenceStartToken, yaml.FlowMappingStartToken,
          yaml.FlowSequenceStartToken)  # fmt: skip
_CLOSES = (yaml.BlockEndToken, yaml.FlowMappingEndToken, yaml.FlowSequenceEndToken)


class ConfigError(Exception):
    """A setting that cannot be used: names the file, the key, what was expected and found."""


def load(folder: Path | None = None, overrides: Sequence[str] = ()) -> Settings:
    """The settings in force.

    Args:
        folder: laid over the defaults; None takes $XDG_CONFIG_HOME/kitetui where it exists.
        overrides: `section.key=value` texts, the value in YAML.

    Raises:
        ConfigError: names the file or option, the key, what was expected and found.
    """
    tree, origins = gather(folder, overrides)
    return _completed(_convert(tree, origins))


def gather(folder: Path | None = None,
           overrides: Sequence[str] = ()) -> tuple[dict[str, Any], dict[str, str]]:  # fmt: skip
    """What the files and overrides say, and where each key comes from; not checked yet.

    Raises:
        ConfigError: a file cannot be read, or an override names no key.
    """
    tree: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in (default_folder(), folder or user_folder()):
        if source is None:
            continue
        if not source.is_dir():
            raise ConfigError(f"{source}: no such folder; --config takes a folder of YAML files")
        for name, section in FILES.items():
            path = source / name
            if path.exists():
                part = _read(path)
                _merge(tree, {section: part} if section else part, origins, str(path))
    for text in overrides:
        _override(tree, text, origins)
    return tree, origins


def _completed(settings: Settings) -> Settings:
    """What `auto` means where the ticks come from Redis: others write them there already."""
    redis = settings.redis
    if settings.feed.source != "redis" or redis.profile != "auto":
        return settings
    changed = msgspec.structs.replace(redis, profile="alerts")
    return msgspec.structs.replace(settings, redis=changed)


def default_folder() -> Path:
    """The packed defaults, or `config/` beside the package in a checkout."""
    packed = Path(__file__).with_name("defaults")
    return packed if packed.is_dir() else Path(__file__).parent.parent / "config"


def user_folder(*, there: bool = True) -> Path | None:
    """The user's own folder of settings; None where it has to be `there` and is not."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    folder = Path(base) / "kitetui"
    return folder if folder.is_dir() or not there else None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"{path}: larger than {MAX_FILE_BYTES} bytes; a config file is small")
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    try:
        _check_tokens(path, text)
        data = parse(text)
    except yaml.MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{path}{where}: is not YAML: {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: dates that there are not
        raise ConfigError(f"{path}: is not YAML: {_brief(str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{path}: is nested too deeply") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected keys and values, got {type(data).__name__}")
    return data


def parse(text: str) -> Any:
    """A value in YAML; nothing in it is executed.

    Raises:
        yaml.YAMLError, ValueError: it is none.
    """
    return yaml.load(text, Loader=_LOADER)  # noqa: S506 - a safe loader in either case


def _check_tokens(path: Path, text: str) -> None:
    """Refuse what grows without end when it is read."""
    depth = 0
    for token in yaml.scan(text, Loader=_LOADER):
        if isinstance(token, yaml.AliasToken):
            raise ConfigError(f"{path}: YAML aliases are not taken; write the value out")
        depth += isinstance(token, _OPENS) - isinstance(token, _CLOSES)
        if depth > DEEPEST:
            raise ConfigError(f"{path}: is nested too deeply")


def _merge(
    into: dict[str, Any],
    part: Mapping[str, Any],
    origins: dict[str, str],
    origin: str,
    path: str = "",
) -> None:
    for key, value in part.items():
        at = f"{path}.{key}" if path else str(key)
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value, origins, origin, at)
        else:
            into[key] = value
        origins[at] = origin


def _override(tree: dict[str, Any], text: str, origins: dict[str, str]) -> None:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise ConfigError(
            f"--set {redacted(name)}: expected section.key=value, such as screen.hz=2"
        )
    node = tree
    *sections, key = name.split(".")
    for part in sections:
        node = node.get(part) if isinstance(node, dict) else None  # type: ignore[assignment]
        if not isinstance(node, dict):
            raise ConfigError(f"--set {name}: there is no section {part!r}; {_known(tree)}")
    if not isinstance(node, dict) or key not in node:
        raise ConfigError(f"--set {name}: there is no key {name!r}; {_known(node)}")
    try:
        node[key] = parse(value)
    except (yaml.YAMLError, ValueError):
        node[key] = value
    origins[name] = f"--set {name}"


def _known(node: Any) -> str:
    return (
        "known here: " + ", ".join(sorted(str(k) for k in node)) if isinstance(node, dict) else ""
    )


def _convert(tree: dict[str, Any], origins: dict[str, str]) -> Settings:
    flat = {k: v for k, v in tree.items() if k not in ("thresholds", "universe")}
    thresholds = tree.get("thresholds", {})
    if not isinstance(thresholds, dict):
        raise ConfigError(
            f"{origins.get('thresholds', 'thresholds.yaml')}: thresholds: expected keys and "
            f"values, got {type(thresholds).__name__}"
        )
    thresholds = dict(thresholds)
    flat["reference"] = thresholds.pop("reference", {})
    flat["patterns"] = thresholds
    universe = tree.get("universe", {})
    flat["universes"] = universe.get("universes") if isinstance(universe, dict) else universe
    if isinstance(universe, dict) and set(universe) - {"universes"}:
        unknown = sorted(set(universe) - {"universes"})[0]
        raise ConfigError(
            f"{origins.get(f'universe.{unknown}', 'universe.yaml')}: "
            f"unknown key {unknown!r}; expected only 'universes'"
        )
    try:
        settings = msgspec.convert(flat, Settings)
    except msgspec.ValidationError as error:
        raise _explained(str(error), flat, origins) from None
    _check(settings, origins)
    return _listed(settings, origins)


def _listed(settings: Settings, origins: dict[str, str]) -> Settings:
    """With the symbols of files that universes name."""
    universes = dict(settings.universes)
    for name, universe in universes.items():
        for field in ("focus", "stocks"):
            items: list[str] = getattr(universe, field)
            if not any(item.startswith(MARK) for item in items):
                continue
            key = f"universe.universes.{name}.{field}"
            origin = next((origins[p] for p in _prefixes(key) if p in origins), "--set")
            folder = Path() if origin.startswith("--set") else Path(origin).parent
            try:
                told = {field: expanded(items, folder)}
            except ListError as error:
                raise ConfigError(f"{origin}: {key}: {error}") from None
            universes[name] = universe = msgspec.structs.replace(universe, **told)
    return msgspec.structs.replace(settings, universes=universes)


def _explained(message: str, flat: dict[str, Any], origins: dict[str, str]) -> ConfigError:
    what, _, at = message.partition(" - at ")
    in_key = at.startswith("`key` in ")
    at = at.removeprefix("`key` in ").strip("`").removeprefix("$")
    path = re.sub(r"\[['\"]?([^\]'\"]*)['\"]?\]", r".\1", at).strip(".")
    unknown = re.search(r"unknown field `([^`]*)`", what)
    if unknown:
        path = f"{path}.{unknown.group(1)}".strip(".")
    keys = path.split(".") if path else []
    name = {
        "patterns": "thresholds",
        "universes": "universe.universes",
        "reference": "thresholds.reference",
    }.get(keys[0] if keys else "")
    full = ".".join([name, *keys[1:]]) if name else path
    origin = next((origins[p] for p in _prefixes(full) if p in origins), "the settings")
    found = _lookup(flat, keys)
    got = "" if unknown or found is None else f"; got {_brief(found)}"
    said = "unknown key" if unknown else what[0].lower() + what[1:]
    if in_key:
        said = f"in one of its keys: {said}"
    return ConfigError(f"{origin}: {path or 'top level'}: {said}{got}")


def _brief(value: Any) -> str:
    """A value for an error: short, and without what addresses in it must not show."""
    text = redacted(repr(value))
    return text if len(text) <= 80 else f"{text[:77]}..."


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(len(parts), 0, -1)]


def _lookup(node: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        if isinstance(node, dict):
            node = node.get(key)
        elif isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        else:
            return None
    return node


def _check(settings: Settings, origins: dict[str, str]) -> None:
    def fail(key: str, expected: str, got: Any) -> None:
        origin = next((origins[p] for p in _prefixes(key) if p in origins), "the settings")
        raise ConfigError(f"{origin}: {key}: expected {expected}; got {got!r}")

    feed = settings.feed
    if feed.speed != "max":
        try:
            if not 0 < float(feed.speed) < math.inf:
                raise ValueError
        except ValueError:
            fail("feed.speed", "a number above 0, or max", feed.speed)
    if (listen := settings.metrics.listen) and not re.fullmatch(
        r"(127\.\d+\.\d+\.\d+|localhost|\[::1\]):\d{1,5}|unix:///.+", listen
    ):
        fail("metrics.listen", "an address on loopback such as 127.0.0.1:9108, or unix:///path",
             listen)  # fmt: skip
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", feed.new_day):
        fail("feed.new_day", "an hour such as 08:15", feed.new_day)
    if not re.match(r"wss?://", feed.url):
        fail("feed.url", "ws://... or wss://...", feed.url)
    if not re.match(r"https?://", feed.rest_url):
        fail("feed.rest_url", "http://... or https://...", feed.rest_url)
    if isinstance(feed.instruments, str) and feed.instruments not in settings.universes:
        fail(
            "feed.instruments",
            "a list, or one of " + ", ".join(settings.universes),
            feed.instruments,
        )
    for key, url in (("telegram.base_url", settings.telegram.base_url),
                     ("webhook.url", settings.webhook.url or "https://off")):  # fmt: skip
        if not re.match(r"https?://[^/]", url):
            fail(key, "http://... or https://...", redacted_url(url))
    for number, of_news in enumerate(settings.news.feeds):
        if not re.match(r"https?://[^/]", of_news.url):
            fail(f"news.feeds.{number}.url", "http://... or https://...", of_news.url[:8])
    for name in settings.alerts.escalate_minutes:
        if name not in ("P1", "P2", "P3"):
            fail("alerts.escalate_minutes", "P1, P2 or P3", name)
    for name, zone in settings.zones.items():
        if (zone.after_open is None) == (zone.before_close is None):
            fail(f"zones.{name}", "one of after_open and before_close", None)
    for asset in ("equity", "index", "futures", "options", "currency", "commodity"):
        if asset not in settings.normalise.jump:
            fail(f"normalise.jump.{asset}", "a ratio above 1", None)
        if asset not in settings.outcomes.costs_pct:
            fail(f"outcomes.costs_pct.{asset}", "a percentage", None)
    url = settings.redis.url
    if url != "embedded" and not is_usable(url):
        fail("redis.url", "embedded, redis://, rediss:// or unix://, with '/' and '@' of a "
             "password percent-encoded", redacted_url(url))  # fmt: skip
    for number, watched in enumerate(settings.redis.watch):
        if not is_usable(watched):
            fail(f"redis.watch.{number}", "redis://, rediss:// or unix://", redacted_url(watched))
    if feed.source == "redis":
        if url == "embedded":
            fail(
                "redis.url", "the server that your crawlers write to, as feed.source is redis", url
            )
        if settings.redis.profile not in ("auto", "alerts"):
            fail("redis.profile", "auto or alerts: as feed.source is redis, ticks would go round",
                 settings.redis.profile)  # fmt: skip
    _check_contract(settings.redis, fail)
    for segment in ("equity", "equity_fno", "index", "equity_derivatives", "currency", "commodity"):
        if not settings.calendar.hours.get(segment):
            fail(f"calendar.hours.{segment}", "a list of hours", None)


def _check_contract(redis: RedisSettings, fail: Callable[[str, str, Any], None]) -> None:
    """Every name of the Redis contract has a template with the parts that tell its keys apart."""
    of_keys = {name: entry.parts for name, entry in KEYS.items()}
    of_channels = {name: channel.parts for name, channel in CHANNELS.items()}
    for of, templates, known in (("keys", redis.keys, of_keys),
                                 ("channels", redis.channels, of_channels)):  # fmt: skip
        for name in sorted(templates.keys() ^ known.keys()):
            fail(f"redis.{of}.{name}", "one of " + ", ".join(known), name)
        for name, template in templates.items():
            try:
                found = {part for _, part, _, _ in Formatter().parse(template) if part is not None}
                template.format(**dict.fromkeys(known[name], ""))
            except (KeyError, IndexError):
                pass  # a part that nothing fills is told below
            except ValueError as error:
                fail(f"redis.{of}.{name}", "a template with {} in pairs", str(error))
            parts = known[name]
            for part in sorted(found - set(parts)):
                fail(f"redis.{of}.{name}", f"no part but {', '.join(parts) or 'none'}", part)
            for part in parts:
                if part not in found and part != "date":
                    fail(f"redis.{of}.{name}", f"{{{part}}} in it", template)
    seen: dict[tuple[int, str], str] = {}
    for name, entry in KEYS.items():
        store = redis.stores.get(entry.store)
        if store is None:
            fail(f"redis.stores.{entry.store}", "a db and a prefix", None)
        else:
            other = seen.setdefault((store.db, store.prefix + redis.keys[name]), name)
            if other != name:
                fail(f"redis.keys.{name}", f"another name than {other}", redis.keys[name])
    for name in redis.ages_s:
        if KEYS[name].parts if name in KEYS else True:
            fail(f"redis.ages_s.{name}", "a stream that is one key, such as alert_stream", name)
