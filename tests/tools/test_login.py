"""Logging in, against the simulated exchange: by redirect, by paste, and with what is wrong."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kitetui.engine.calendar import ist
from kitetui.engine.feed import credentials
from kitetui.engine.feed.credentials import Credentials
from kitetui.engine.feed.login import LoginRefused, login_url, request_token
from kitetui.secret import Secret
from tests.attach.sshd import free_port
from tests.programs import PROGRAM, environment, exchange, kitetui

SECRET = {"KITE_API_SECRET": "demo-secret"}


class Site:
    """An exchange to log in to, and where the redirect of its app leads."""

    def __init__(self, folder: Path, hello: dict[str, Any], port: int) -> None:
        self.folder, self.port, self.rest = folder, port, hello["rest_url"]
        self.options = ["--set", f"feed.rest_url={self.rest}", "--set", f"login.port={port}",
                        "--set", f"login.url={self.rest}/connect/login"]  # fmt: skip

    def ask(self, url: str) -> str:
        """Where a browser ends that opens an address and logs in."""
        return httpx.get(url, trust_env=False).headers["location"]

    def credentials(self) -> dict[str, Any]:
        path = self.folder / "kitetui" / "credentials.json"
        assert path.stat().st_mode & 0o777 == 0o600
        found: dict[str, Any] = json.loads(path.read_text())
        return found

    def accepted(self) -> bool:
        """Whether the exchange takes what is stored."""
        found = self.credentials()
        asked = httpx.get(f"{self.rest}/user/profile", trust_env=False, headers={
            "Authorization": f"token {found['api_key']}:{found['access_token']}"})  # fmt: skip
        return asked.status_code == 200


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    port = free_port()
    with exchange(tmp_path, "--redirect", f"http://127.0.0.1:{port}/") as hello:
        yield Site(tmp_path, hello, port)


def test_the_browsers_redirect_logs_in(site: Site) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "login", "--no-browser", "--api-key", "demo", *site.options],
        env=environment(site.folder, **SECRET), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    said = ""
    while "is waited for" not in said:
        line = process.stdout.readline()
        assert line, said
        said += line
    url = re.search(r"http://\S+/connect/login\S+", said)
    assert url is not None
    forged = httpx.get(f"http://127.0.0.1:{site.port}/?request_token=abc&state=x", trust_env=False)
    assert forged.status_code == 403, "another page cannot log us in as somebody else"
    page = httpx.get(site.ask(url[0]), trust_env=False)
    assert page.status_code == 200 and "Logged in" in page.text
    assert process.wait(20) == 0
    said += process.stdout.read()
    process.stdout.close()
    assert process.stdin is not None
    process.stdin.close()
    assert re.search(r"good until \w{3} 0[67]:[03]0 IST", said)
    assert site.accepted()
    assert "demo-secret" not in said and site.credentials()["access_token"] not in said


def test_what_was_pasted_logs_in_once(site: Site) -> None:
    url = login_url(f"{site.rest}/connect/login", "demo", "s")
    ended_at = site.ask(url)
    options = ["login", "--api-key", "demo", "--token", ended_at, *site.options]
    done = kitetui(site.folder, *options, **SECRET)
    assert done.returncode == 0, done.stderr
    assert site.accepted()
    before = site.credentials()
    again = kitetui(site.folder, *options, **SECRET)
    assert again.returncode == 77 and "was used already" in again.stderr
    assert site.credentials() == before and site.accepted(), "what was good stays"
    # The key is known now, and the token may be pasted at the prompt.
    typed = subprocess.run(
        [*PROGRAM, "login", "--no-browser", *site.options], text=True, capture_output=True,
        env=environment(site.folder, **SECRET), input=site.ask(url) + "\n", check=False,
    )  # fmt: skip
    assert typed.returncode == 0, typed.stderr
    assert site.credentials() != before and site.accepted()


@pytest.mark.parametrize(("token", "code", "words"), [
    ("wrongtoken", 77, "was used already or is older"),
    ("http://127.0.0.1:8018/?status=error", 77, "did not succeed"),
    ("http://127.0.0.1:8018/?x=1", 77, "no request_token in that"),
    ("../../etc", 77, "no request_token in that"),
])  # fmt: skip
def test_a_token_that_is_none_is_told(site: Site, token: str, code: int, words: str) -> None:
    done = kitetui(site.folder, "login", "--api-key", "demo", "--token", token, *site.options,
                   **SECRET)  # fmt: skip
    assert done.returncode == code and words in done.stderr
    assert "Traceback" not in done.stderr and not done.stdout


def test_a_wrong_secret_and_a_site_that_is_away_are_told_without_the_secret(site: Site) -> None:
    ended_at = site.ask(login_url(f"{site.rest}/connect/login", "demo", "s"))
    wrong = kitetui(site.folder, "login", "--api-key", "demo", "--token", ended_at, *site.options,
                    KITE_API_SECRET="canary-secret")  # fmt: skip
    assert wrong.returncode == 77 and "api_secret is not that" in wrong.stderr
    away = kitetui(site.folder, "login", "--api-key", "demo", "--token", "abc", "--set",
                   "feed.rest_url=http://127.0.0.1:9", KITE_API_SECRET="canary-secret")  # fmt: skip
    assert away.returncode == 69 and "cannot be asked" in away.stderr
    assert "canary" not in wrong.stdout + wrong.stderr + away.stdout + away.stderr


def test_a_secret_that_others_can_read_is_refused_with_the_command_that_mends_it(
    site: Site,
) -> None:
    ended_at = site.ask(login_url(f"{site.rest}/connect/login", "demo", "s"))
    secret = site.folder / "kitetui" / "api_secret"
    secret.parent.mkdir(mode=0o700)
    secret.write_text("demo-secret\n")
    secret.chmod(0o644)
    options = ["login", "--api-key", "demo", "--token", ended_at, *site.options]
    refused = kitetui(site.folder, *options)
    assert refused.returncode == 78 and f"chmod 600 {secret}" in refused.stderr
    secret.chmod(0o600)
    assert kitetui(site.folder, *options).returncode == 0
    credentials_ = site.folder / "kitetui" / "credentials.json"
    credentials_.chmod(0o640)
    shown = kitetui(site.folder, "login", "--token", "abc", *site.options)
    assert shown.returncode == 78 and f"chmod 600 {credentials_}" in shown.stderr


def test_addresses_and_pastes() -> None:
    url = login_url("https://kite.zerodha.com/connect/login", "k y", "a&b")
    assert url.startswith("https://kite.zerodha.com/connect/login?v=3&api_key=k+y&redirect_params=")
    assert "state%3Da%2526b" in url
    for text in ("Abc123", " http://127.0.0.1:8018/?a=1&request_token=Abc123&status=success \n",
                 "request_token=Abc123"):  # fmt: skip
        assert request_token(text) == "Abc123"
    with pytest.raises(LoginRefused):
        request_token("x" * 300)


def test_a_token_ends_at_six_and_one_from_before_the_flush_is_doubted() -> None:
    at_s = 1_764_000_000  # 24 November 2025, 21:30 IST
    found = Credentials("k", Secret("t"), at_s)
    assert f"{ist(credentials.good_until_s(at_s)):%d %H:%M}" == "25 06:00"
    assert f"{ist(credentials.good_until_s(at_s + 4 * 3600)):%d %H:%M}" == "25 06:00"
    assert f"{ist(credentials.good_until_s(at_s + 9 * 3600)):%d %H:%M}" == "25 07:30"
    assert f"{ist(credentials.good_until_s(at_s + 11 * 3600)):%d %H:%M}" == "26 06:00"
    assert credentials.age(found, at_s + 3600) == ""
    assert "yesterday" in credentials.age(found, at_s + 9 * 3600)
    early = Credentials("k", Secret("t"), at_s + int(9.5 * 3600))  # 07:00
    assert "flush" in credentials.age(early, at_s + 12 * 3600)
    assert credentials.age(early, at_s + int(9.6 * 3600)) == ""
    assert credentials.age(Credentials("k", Secret("t")), at_s) == ""
