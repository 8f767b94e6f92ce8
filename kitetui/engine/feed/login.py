"""Logging in to Kite: the address to open, and the request token's exchange for an access token."""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import orjson

from kitetui.engine.clock import wall_ns
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.rest import RestError
from kitetui.engine.http import httpx
from kitetui.secret import Secret

TIMEOUT_S = 15.0
TOKEN_MAX = 256


class LoginRefused(Exception):
    """Kite does not take what it was given; says what to do."""


def login_url(base: str, api_key: str, state: str) -> str:
    """The page on which the user logs in; `state` comes back with the redirect."""
    joint = "&" if "?" in base else "?"
    extra = quote(urlencode({"state": state}), safe="")
    return f"{base}{joint}{urlencode({'v': '3', 'api_key': api_key})}&redirect_params={extra}"


def request_token(text: str) -> str:
    """The request token of an address that the browser was sent to, or of what was pasted.

    Raises:
        LoginRefused: there is none, or the address says that the login failed.
    """
    text = text.strip()
    if "=" not in text:
        token = text
    else:
        query = parse_qs(urlsplit(text).query or text.partition("?")[2] or text)
        if query.get("status", ["success"])[0] != "success":
            raise LoginRefused("Kite says that the login did not succeed; open the address again")
        token = query.get("request_token", [""])[0]
    if not token or len(token) > TOKEN_MAX or not token.isalnum():
        raise LoginRefused("no request_token in that: copy the whole address that the browser "
                           "ended at after the login")  # fmt: skip
    return token


def exchange_token(rest_url: str, api_key: str, api_secret: Secret, token: str) -> Credentials:
    """Today's access token for a request token, which is good once and for some minutes.

    Raises:
        LoginRefused: the token or the secret is wrong; RestError: Kite cannot be asked.
    """
    text = f"{api_key}{token}{api_secret.reveal()}"
    form = {"api_key": api_key, "request_token": token,
            "checksum": hashlib.sha256(text.encode()).hexdigest()}  # fmt: skip
    try:
        answer = httpx.post(f"{rest_url}/session/token", data=form, timeout=TIMEOUT_S,
                            headers={"X-Kite-Version": "3"}, trust_env=False)  # fmt: skip
    except httpx.HTTPError as error:
        raise RestError(f"{rest_url}/session/token: {type(error).__name__}") from None
    if answer.status_code in (400, 403):
        raise LoginRefused(
            "Kite refuses the login: the request token was used already or is older than a few "
            "minutes (open the address again), or the api_secret is not that of this api_key"
        )
    if answer.status_code != 200:
        raise RestError(f"{rest_url}/session/token: HTTP {answer.status_code}")
    try:
        found = orjson.loads(answer.content)["data"]["access_token"]
        if not (isinstance(found, str) and found):
            raise ValueError
    except (ValueError, KeyError, TypeError):
        raise RestError(f"{rest_url}/session/token: the answer holds no access_token") from None
    return Credentials(api_key, Secret(found), wall_ns() // 1_000_000_000)
