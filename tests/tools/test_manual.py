"""Help that teaches: every command has an example that it takes, and a page of the manual."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import click
import pytest

from kitetui.cli.examples import EXAMPLES, leaves
from kitetui.cli.main import cli
from kitetui.tools.manual import page


def test_every_command_has_examples_and_no_example_is_of_none() -> None:
    assert set(EXAMPLES) == {words for words, _ in leaves(cli)}


@pytest.mark.parametrize("words", sorted(EXAMPLES))
def test_examples_are_taken_as_they_stand(words: str) -> None:
    command = dict(leaves(cli))[words]
    names = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    for example in EXAMPLES[words]:
        told, *_ = re.split(r" (?:\||>+) (?=[^\"]*$)", example)
        typed = shlex.split(told)[len(words.split()) :]
        assert told.startswith(words)
        assert {word for word in typed if word.startswith("--")} <= names
        parser = command.make_parser(click.Context(command))
        _, left, _ = parser.parse_args(list(typed))
        wanted = [one for one in command.params if isinstance(one, click.Argument)]
        assert not left and len([one for one in wanted if one.required]) <= len(typed)


def test_help_ends_with_them() -> None:
    from click.testing import CliRunner

    said = CliRunner().invoke(cli, ["mute", "--help"]).output
    assert said.rstrip().endswith("kitetui mute --pattern volume_spike --why noisy")


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff to read the page with")
def test_the_manual_page_is_read_without_a_complaint() -> None:
    text = page(cli)
    assert text.count(".SS kitetui ") == len(EXAMPLES)
    read = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=text, text=True,
                          capture_output=True, check=True)  # fmt: skip
    assert read.stderr == ""
    assert "kitetui mute --pattern volume_spike --why noisy" in read.stdout
