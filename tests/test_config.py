"""Settings that cannot be used are named, and nothing secret with them."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from kitetui import config
from kitetui.config import ConfigError, load
from kitetui.redis_contract import KEYS
from kitetui.secret import redacted, redacted_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://:pw@host:6379/0", "redis://***@host:6379/0"),
        ("redis://:p@ss@host", "redis://***@host"),
        ("redis://:p/a@host", "redis://***@host"),
        ("redis://:p?a@host", "redis://***"),
        ("https://example.com/rss?key=SECRET", "https://example.com/rss"),
        ("https://example.com/rss?key=a@SECRET", "https://***"),
        ("redis://host:6379", "redis://host:6379"),
    ],
)
def test_a_url_is_shown_without_what_opens_it(url: str, shown: str) -> None:
    assert redacted_url(url) == shown
    assert redacted(f"got '{url}', sorry") == f"got '{shown}', sorry"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("kitetui.yaml", "redis: redis://:SECRET@h", ["kitetui.yaml", "redis", "***@h"]),
        ("kitetui.yaml", "news: {feeds: [{url: 'https://u:SECRET@h/rss'}]}", ["every_s"]),
        ("redis.yaml", "url: 'redis://:SEC/RET@h'", ["redis.url", "percent-encoded"]),
        ("redis.yaml", "keys: {latest: 'x:{sym}'}", ["redis.keys.latest", "'sym'", "symbol"]),
        ("redis.yaml", "keys: {latest: 'x:{date}'}", ["redis.keys.latest", "'date'", "symbol"]),
        ("redis.yaml", "keys: {alert_stream: 'x:{symbol}'}", ["no part", "'symbol'"]),
        ("redis.yaml", "channels: {news: 'x:{'}", ["redis.channels.news"]),
        ("calendar.yaml", "holidays: [2026-02-30]", ["calendar.yaml", "day is out of range"]),
        ("kitetui.yaml", "thresholds: null", ["thresholds: expected keys and values"]),
    ],
)
def test_what_cannot_be_used_is_named_without_secrets(
    tmp_path: Path, name: str, text: str, words: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError) as told:
        load(tmp_path)
    for word in words:
        assert word in str(told.value)
    assert "SEC" not in str(told.value)


@pytest.mark.parametrize(
    "text",
    ["redis.uri=redis://:SECRET@h", "redis://:SECRET@h", "nothing.at.all=SECRET", "SECRETS",
     "feed.gap_after_s=2026-13-45", "thresholds=5", "feed.speed=inf", "feed.speed=nan"],
)  # fmt: skip
def test_options_are_refused_in_words(text: str) -> None:
    with pytest.raises(ConfigError) as told:
        load(overrides=[text])
    assert ":SECRET" not in str(told.value) and "=SECRET" not in str(told.value)


def test_every_store_that_is_used_is_asked_for(tmp_path: Path) -> None:
    for store in ("news", "metrics", "alerts"):
        with pytest.raises(ConfigError, match=rf"redis\.stores\.{store}"):
            load(overrides=[f"redis.stores={{system: {{db: 0, prefix: ''}}, {_but(store)}}}"])


def _but(store: str) -> str:
    others = {entry.store for entry in KEYS.values()} - {store, "system"}
    return ", ".join(f"{name}: {{db: 1, prefix: ''}}" for name in sorted(others))


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_either_reader_of_yaml_gives_the_same(
    loader: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = load()
    monkeypatch.setattr(config, "_LOADER", getattr(yaml, loader))
    assert load() == wanted
    for name, text in (("alias", "a: &x [1]\nb: *x\n"), ("nested", "a: " + "[" * 60 + "]" * 60)):
        (tmp_path / "kitetui.yaml").write_text(text)
        with pytest.raises(ConfigError, match=name):
            load(tmp_path)
    (tmp_path / "kitetui.yaml").write_text("a: " + "[" * 200_000)
    with pytest.raises(ConfigError, match="nest"):
        load(tmp_path)
    (tmp_path / "kitetui.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(ConfigError, match="is not YAML"):
        load(tmp_path)
