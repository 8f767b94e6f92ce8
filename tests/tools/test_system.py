"""Running it for good: the service's units, the settings' commands, completion."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kitetui.config import load
from kitetui.sentences import sentences
from kitetui.tools.service import unit
from kitetui.tools.settings import leaves
from tests.programs import PROGRAM, environment, kitetui

EXPOSURE_MAX = 1.5


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_systems_unit_is_hardened_and_good(tmp_path: Path) -> None:
    path = tmp_path / "kitetui.service"
    path.write_text(unit(user=False))
    told = subprocess.run(["systemd-analyze", "security", "--offline=true", str(path)], text=True,
                          capture_output=True, check=False)  # fmt: skip
    exposure = re.search(r"Overall exposure level for kitetui.service: ([\d.]+)", told.stdout)
    assert exposure is not None, told.stdout + told.stderr
    assert float(exposure[1]) <= EXPOSURE_MAX, told.stdout
    for text in (unit(user=False), unit(user=True)):
        path.write_text(text)
        checked = subprocess.run(["systemd-analyze", "verify", str(path)], text=True,
                                 capture_output=True, check=False)  # fmt: skip
        ours = [li for li in checked.stderr.splitlines() if "kitetui.service" in li
                and "not executable" not in li]  # fmt: skip
        assert ours == [], checked.stderr


def test_what_starting_again_would_not_mend_is_not_started_again() -> None:
    text = unit(user=False, arguments=["--profile", "night"])
    assert "RestartPreventExitStatus=73 77 78" in text and "--profile night" in text
    filters = [li for li in text.splitlines() if li.startswith("SystemCallFilter=")]
    assert filters[-1] == "SystemCallFilter=@chown", "sockets are given to their groups"
    assert "Type=notify" in text and "WatchdogSec=15" in text and "ExecReload=" in text


def test_the_users_unit_is_written_and_removed(tmp_path: Path) -> None:
    done = kitetui(tmp_path, "service", "install", "--user", "--", "--source", "redis")
    assert done.returncode == 0, done.stderr
    path = tmp_path / "config" / "systemd" / "user" / "kitetui.service"
    assert "--headless --source redis" in path.read_text() and "systemctl --user" in done.stdout
    gone = kitetui(tmp_path, "service", "uninstall")
    assert gone.returncode == 0 and "stays in its state folder" in gone.stdout
    assert not path.exists() and kitetui(tmp_path, "service", "uninstall").returncode == 1
    printed = kitetui(tmp_path, "service", "print").stdout
    assert "groupadd --system kitetui-view" in printed and "[Service]" in printed


def test_every_key_has_its_sentence() -> None:
    """What the files do not explain by themselves, nobody can look up."""
    told = sentences()
    lists = re.compile(r"(thresholds|fields|universe|calendar)\.|redis\.(keys|channels|stores)\.|"
                       r"alerts\.system\.|news\.words|normalise\.jump\.|options\.index_names|zones\.|"
                       r"notify\.|outcomes\.costs_pct\.|redis\.ages_s\.|redis\.caps\.|"
                       r"alerts\.escalate_minutes")  # fmt: skip
    from kitetui.config import default_folder, gather

    keys = [key for key, _ in leaves(gather(default_folder())[0]) if not lists.match(key)]
    missing = [key for key in keys if key not in told]
    assert missing == [] and len(keys) > 100


def test_settings_are_shown_with_where_they_come_from(tmp_path: Path) -> None:
    home = tmp_path / "config" / "kitetui"
    home.mkdir(parents=True)
    (home / "kitetui.yaml").write_text("screen: {hz: 2}\n")
    lines = json.loads(kitetui(tmp_path, "config", "show", "--changed", "--json", "--set",
                               "redis.url=redis://u:canary@h:1").stdout)  # fmt: skip
    told = {line["key"]: line for line in lines}
    assert set(told) == {"screen.hz", "redis.url"}
    assert told["screen.hz"]["value"] == 2 and told["screen.hz"]["from"].endswith("kitetui.yaml")
    assert told["screen.hz"]["sentence"] == "frames a second, 1 to 10"
    assert told["redis.url"]["from"] == "--set redis.url"
    assert "canary" not in json.dumps(lines)
    text = kitetui(tmp_path, "config", "show", "screen.hz").stdout
    assert text.startswith("* screen.hz: 2")
    assert kitetui(tmp_path, "config", "show", "nosuchkey").returncode == 1
    assert kitetui(tmp_path, "config", "validate").returncode == 0
    (home / "kitetui.yaml").write_text("screen: {hz: 99}\n")
    bad = kitetui(tmp_path, "config", "validate")
    assert bad.returncode == 78 and "screen.hz" in bad.stderr


def editor(tmp_path: Path, text: str) -> str:
    """An editor that writes the same every time."""
    path = tmp_path / "editor"
    path.write_text(f"#!/bin/sh\ncat > \"$1\" <<'END'\n{text}\nEND\n")
    path.chmod(0o755)
    return str(path)


def test_an_edit_is_kept_only_where_it_would_do(tmp_path: Path) -> None:
    path = tmp_path / "config" / "kitetui" / "kitetui.yaml"
    good = kitetui(tmp_path, "config", "edit", EDITOR=editor(tmp_path, "screen: {hz: 3}"))
    assert good.returncode == 0, good.stderr
    assert path.read_text() == "screen: {hz: 3}\n" and "is kept" in good.stdout
    bad = subprocess.run(
        [*PROGRAM, "config", "edit"], text=True, capture_output=True, check=False, input="n\n",
        env=environment(tmp_path, EDITOR=editor(tmp_path, "screen: {hz: fast}")),
    )  # fmt: skip
    assert (
        bad.returncode == 78 and "screen.hz" in bad.stderr and "nothing was changed" in bad.stderr
    )
    assert path.read_text() == "screen: {hz: 3}\n"
    same = kitetui(tmp_path, "config", "edit", EDITOR="true")
    assert same.returncode == 0 and "nothing was changed" in same.stdout
    assert kitetui(tmp_path, "config", "edit", "nosuch").returncode == 2
    lost = kitetui(tmp_path, "config", "edit", EDITOR="/no/such/editor")
    assert lost.returncode == 1 and "set EDITOR" in lost.stderr


def test_the_reference_in_the_docs_is_what_the_code_has() -> None:
    page = Path(__file__).parents[2] / "docs" / "settings.md"
    printed = kitetui(Path("/nonexistent"), "config", "reference").stdout
    assert page.read_text() == printed, "kitetui config reference > docs/settings.md"
    assert load() is not None


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_commands(shell: str, tmp_path: Path) -> None:
    source = kitetui(tmp_path, "completion", shell)
    assert source.returncode == 0 and "_KITETUI_COMPLETE" in source.stdout
    asked = {"bash": {"COMP_WORDS": "kitetui doc", "COMP_CWORD": "1"},
             "zsh": {"COMP_WORDS": "kitetui doc", "COMP_CWORD": "1"},
             "fish": {"COMP_WORDS": "kitetui doc", "COMP_CWORD": "doc"}}[shell]  # fmt: skip
    found = kitetui(tmp_path, _KITETUI_COMPLETE=f"{shell}_complete", **asked)
    assert "doctor" in found.stdout, found.stderr


def test_help_teaches_every_command(tmp_path: Path) -> None:
    """Each command says what it is for in a sentence, and none of its options is left unsaid."""
    from kitetui.cli.main import cli

    def commands(group: object, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
        out = []
        for name, command in getattr(group, "commands", {}).items():
            out.append(((*path, name), command))
            out += commands(command, (*path, name))
        return out

    found = commands(cli)
    assert len(found) > 50
    for path, command in found:
        assert (command.help or "").strip(), path  # type: ignore[attr-defined]
        for option in command.params:  # type: ignore[attr-defined]
            if option.param_type_name == "option" and not option.hidden:
                words = option.help or option.metavar or option.name in ("seed", "yes")
                assert words, (path, option.name)
