"""Kite credentials: a 0600 file in the state folder, or the environment where there is none."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import orjson

from kitetui.private_file import read_private
from kitetui.secret import Secret

FILE_MAX_BYTES = 16_384


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


def _from_environment(path: Path) -> Credentials:
    key, token = os.environ.get("KITE_API_KEY", ""), os.environ.get("KITE_ACCESS_TOKEN", "")
    if not key or not token:
        raise CredentialsError(
            "no Kite credentials. Create an app at https://developers.kite.trade, log in through "
            "its login URL to get today's access_token, and put both into KITE_API_KEY and "
            f"KITE_ACCESS_TOKEN, or as JSON (api_key, access_token) into {path} with mode 0600. "
            "To look around without an account: kitetui --demo"
        )
    return Credentials(key, Secret(token))
