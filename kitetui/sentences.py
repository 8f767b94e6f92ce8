"""Sentences: what the delivered files of settings say of each key, behind it."""

from __future__ import annotations

import re
from functools import cache

from kitetui.config import FILES, default_folder

FIRST_PATTERN = "volume_spike"
_KEY = re.compile(r"(\s*)(\"[^\"]+\"|[A-Za-z0-9_ -]+):(.*)")
_SENTENCE = re.compile(r"\s#\s?(.*)$")


@cache
def sentences() -> dict[str, str]:
    """By the dotted key."""
    out: dict[str, str] = {}
    for name, section in FILES.items():
        path = default_folder() / name
        stack: list[tuple[int, str]] = [(-1, section)] if section else []
        last = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            found = _KEY.match(line)
            comment = _SENTENCE.search(line)
            if found is None or line.lstrip().startswith("#"):
                if last and line.startswith(" " * 20) and line.lstrip().startswith("# "):
                    out[last] += f" {line.lstrip()[2:]}"  # a sentence that goes on
                else:
                    last = ""
                continue
            depth = len(found[1])
            while stack and stack[-1][0] >= depth:
                stack.pop()
            stack.append((depth, found[2].strip('"')))
            last = ".".join(part for _, part in stack if part) if comment else ""
            if comment:
                out[last] = comment[1]
    return out


def sentence(key: str) -> str:
    """What is said of a key, '' for nothing; what all patterns have is said of the first alone."""
    told = sentences()
    section, _, rest = key.partition(".")
    _, _, field = rest.partition(".")
    first = f"{section}.{FIRST_PATTERN}.{field}"
    return told.get(key) or (told.get(first, "") if section == "thresholds" else "")
