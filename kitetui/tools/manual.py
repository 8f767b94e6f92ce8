"""`kitetui manual`: the manual page kitetui(1), made of the commands' own help."""

from __future__ import annotations

import re

import click

from kitetui import __version__
from kitetui.cli.examples import leaves, of

HEAD = r""".TH KITETUI 1 "" "kitetui {version}" "kitetui"
.SH NAME
kitetui \- the terminal cockpit for Indian markets
.SH SYNOPSIS
.B kitetui
[OPTIONS] [COMMAND] [ARGS]
"""
FILES = (
    ("~/.config/kitetui/*.yaml", "settings, laid over the delivered ones; see kitetui config"),
    ("~/.local/state/kitetui/", "journals, archive, ledger, logs, token and sockets; mode 0700"),
)
EXITS = (
    ("0", "all is well"), ("1", "what was asked could not be done"), ("2", "it was asked wrongly"),
    ("69", "something that is needed is not there"), ("73", "an engine runs there already"),
    ("75", "it ended in order and may be started again"), ("77", "no valid login"),
    ("78", "the settings cannot be used"),
)  # fmt: skip


def page(group: click.Group) -> str:
    """The page, in the man macros."""
    out = [HEAD.format(version=_escaped(__version__)), ".SH DESCRIPTION\n", _prose(group.help)]
    out += [".SH OPTIONS\n", *_options(group), ".SH COMMANDS\n"]
    for words, command in leaves(group):
        arguments = " ".join(p.make_metavar(click.Context(command)) for p in command.params
                             if isinstance(p, click.Argument))  # fmt: skip
        out.append(f".SS kitetui {_escaped(f'{words} {arguments}'.strip())}\n")
        out += [_prose(command.help), *_options(command)]
        for example in of(words, command):
            out.append(f".PP\n.EX\n    kitetui {_escaped(example)}\n.EE\n")
    out.append(".SH FILES\n")
    out += [f".TP\n.I {_escaped(path)}\n{_escaped(words)}\n" for path, words in FILES]
    out.append(".SH EXIT STATUS\n")
    out += [f".TP\n.B {code}\n{_escaped(words)}\n" for code, words in EXITS]
    return "".join(out)


def _options(command: click.Command) -> list[str]:
    out = []
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden and option.help:
            value = "" if option.is_flag else f" {option.make_metavar(click.Context(command))}"
            names = ", ".join((*option.opts, *option.secondary_opts))
            out.append(f".TP\n.B {_escaped(names + value)}\n{_escaped(option.help)}\n")
    return out


def _prose(text: str | None) -> str:
    """Paragraphs; those marked as they are keep their lines."""
    out = []
    for paragraph in (text or "").split("\n\n"):
        lines = paragraph.strip("\n").split("\n")
        if lines[0].strip() == "\b":
            kept = "\n".join(f"    {_escaped(line.strip())}" for line in lines[1:])
            out.append(f".PP\n.EX\n{kept}\n.EE\n")
        else:
            out.append(f".PP\n{_escaped(' '.join(line.strip() for line in lines))}\n")
    return "".join(out)


def _escaped(text: str) -> str:
    """Text as troff takes it for itself."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)
