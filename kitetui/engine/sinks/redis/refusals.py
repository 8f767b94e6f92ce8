"""Refusals: what a server's errors mean for who writes to it, and how many there were."""

from __future__ import annotations

from collections.abc import Callable, Collection

from kitetui.engine.redis_py import redis

AUTH_WORDS = ("NOAUTH", "WRONGPASS", "Authentication required")
SERVER_WORDS = ("OOM", "READONLY", "NOREPLICAS", "MISCONF", "LOADING", "MASTERDOWN", "BUSY",
                "CLUSTERDOWN")  # fmt: skip
"""Refusals that are about the server's state, not about the command."""
TEXT_MAX = 160


class AnotherWriter(Exception):
    """Somebody else writes to a stream of ours."""


class Refusals:
    """Writes that a server refused.

    Attributes:
        had: writes that it had already.
        denied: commands that its ACL does not allow us, by the first key.
        errors: the others, by their first word.
    """

    def __init__(self, note: Callable[[str, str], None]) -> None:
        self._note = note
        self.had = 0
        self.errors: dict[str, int] = {}
        self.denied: dict[str, str] = {}

    def take(self, words: list[bytes], text: str, own: Collection[bytes]) -> None:
        """One command was refused.

        Args:
            words: of the command; own: the streams that nobody else may write to.

        Raises:
            ResponseError, AuthenticationError: the server as it is takes no writes.
            AnotherWriter: a stream of ours has ids that are not ours.
        """
        name = words[1] if len(words) > 1 else b""
        key = name.decode("utf-8", "replace")
        if "equal or smaller" in text:
            self.had += 1
            if name in own and words[0] == b"XADD":
                raise AnotherWriter(f"another writer adds to {key}: ids are given anew")
        elif text.startswith(SERVER_WORDS):
            raise redis.ResponseError(text)
        elif text.startswith(AUTH_WORDS):
            raise redis.AuthenticationError(text)
        else:
            self._count(words[0].decode(), key, text)

    def _count(self, name: str, key: str, text: str) -> None:
        said = f"{name} {key}: {text[:TEXT_MAX]}"
        word = text.split(" ", 1)[0][:24]
        if word == "NOPERM":
            family = f"{name} {key.partition(':')[0]}"
            if family not in self.denied:
                self.denied[family] = text[:TEXT_MAX]
                self._note("redis", f"not allowed: {said}")
        elif word not in self.errors:
            self._note("redis", f"a write was refused: {said}")
        self.errors[word] = self.errors.get(word, 0) + 1
