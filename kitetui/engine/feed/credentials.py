"""Kite credentials: a 0600 file in the state folder, or the environment where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import orjson

from kitetui.engine.calendar import DAY_S, IST_OFFSET_S, ist_day
from kitetui.private_file import read_private, replace_private
from kitetui.secret import Secret

FILE_MAX_BYTES = 16_384
ENDS_S, FLUSHED_S = 6 * 3600, 7 * 3600 + 1800
"""Of the Indian day: when tokens end by Kite's rule, and when the last ones are flushed."""


class CredentialsError(Exception):
    """Credentials that are missing or must not be used; says what to do."""


class Credentials(msgspec.Struct, frozen=True):
    """What the ticker and REST ask for. `minted_s` is when the token was made; 0 when unknown."""

    api_key: str
    access_token: Secret
    minted_s: int = 0


def read(path: Path) -> Credentials:
    """The credentials in force; the file wins: yesterday's export must not beat today's login.

    Raises:
        CredentialsError: none are found, or the file is readable by others, a link, or damaged.
    """
    try:
        data = read_private(path, FILE_MAX_BYTES)
    except FileNotFoundError:
        return _from_environment(path)
    except OSError as error:
        raise CredentialsError(
            f"{path}: cannot be used: {error.strerror}; it must be a plain file of yours, mode 0600"
        ) from None
    try:
        fields = orjson.loads(data)
        key, token = fields["api_key"], fields["access_token"]
        if not (isinstance(key, str) and isinstance(token, str) and key and token):
            raise ValueError
        minted = int(fields.get("minted_at") or 0)
    except (ValueError, KeyError, TypeError):
        raise CredentialsError(
            f"{path}: expected JSON with api_key and access_token (and minted_at, epoch seconds)"
        ) from None
    return Credentials(key, Secret(token), minted)


def write(path: Path, found: Credentials) -> None:
    """Keep credentials, for their owner alone.

    Raises:
        OSError: they cannot be written.
    """
    replace_private(path, orjson.dumps({
        "api_key": found.api_key, "access_token": found.access_token.reveal(),
        "minted_at": found.minted_s,
    }))  # fmt: skip


def good_until_s(minted_s: int) -> int:
    """When a token ends: six in the morning, Indian time, after it was made (Kite's rule); one that
    is made between then and the flush is gone with that."""
    day = ist_day(minted_s - ENDS_S)
    flush_s = day * DAY_S - IST_OFFSET_S + FLUSHED_S
    return flush_s if minted_s < flush_s else (day + 1) * DAY_S - IST_OFFSET_S + ENDS_S


def age(found: Credentials, now_s: float) -> str:
    """What is to be said of a token's age; '' while it is good."""
    if not found.minted_s:
        return ""
    until_s = good_until_s(found.minted_s)
    if now_s < until_s:
        return ""
    if (until_s + IST_OFFSET_S) % DAY_S == FLUSHED_S:
        return "the access token was made before Kite's flush at 07:30"
    return "the access token is yesterday's"


def _from_environment(path: Path) -> Credentials:
    key, token = os.environ.get("KITE_API_KEY", ""), os.environ.get("KITE_ACCESS_TOKEN", "")
    if not key or not token:
        raise CredentialsError(
            "no Kite credentials. Create an app at https://developers.kite.trade and run "
            "kitetui login; or give KITE_API_KEY and KITE_ACCESS_TOKEN, or JSON (api_key, "
            f"access_token) in {path} with mode 0600. "
            "To look around without an account: kitetui --demo"
        )
    return Credentials(key, Secret(token))
