from __future__ import annotations

import base64
import pickle

import pytest
import requests

from callkit.errors import CredentialsError
from callkit.fetch.credentials import Credentials, base_url_for, hidden

ACCOUNT = "AC" + "1" * 32
VARIABLES = (
    *("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"),
    *("TWILIO_REGION", "TWILIO_EDGE", "CALLKIT_BASE_URL"),
)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def resolve(**arguments: str) -> Credentials:
    return Credentials.resolve(
        account_sid=arguments.get("account_sid"),
        auth_token=hidden(arguments.get("auth_token")),
        api_key=arguments.get("api_key"),
        api_secret=hidden(arguments.get("api_secret")),
    )


def signs_in_as(credentials: Credentials) -> str:
    request = requests.Request("GET", "https://host", auth=credentials.sign).prepare()
    scheme, _, encoded = request.headers["Authorization"].partition(" ")
    assert scheme == "Basic"
    return base64.b64decode(encoded).decode()


def test_a_token_signs_in_as_the_account() -> None:
    assert signs_in_as(resolve(account_sid=ACCOUNT, auth_token="t")) == f"{ACCOUNT}:t"


def test_an_api_key_signs_in_as_itself() -> None:
    key = resolve(account_sid=ACCOUNT, api_key="SKx", api_secret="s")
    assert signs_in_as(key) == "SKx:s"
    assert key.account_sid == ACCOUNT


def test_the_environment_fills_what_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "t")
    assert signs_in_as(resolve()) == f"{ACCOUNT}:t"


def test_the_environments_api_key_comes_before_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "t")
    monkeypatch.setenv("TWILIO_API_KEY", "SKx")
    monkeypatch.setenv("TWILIO_API_SECRET", "s")
    assert signs_in_as(resolve()) == "SKx:s"


def test_a_token_that_is_passed_keeps_the_environments_api_key_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TWILIO_API_KEY", "SKx")
    monkeypatch.setenv("TWILIO_API_SECRET", "s")
    credentials = resolve(account_sid=ACCOUNT, auth_token="t")
    assert signs_in_as(credentials) == f"{ACCOUNT}:t"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "No account SID found. Set TWILIO_ACCOUNT_SID"),
        ({"account_sid": "sekret"}, "Invalid account SID: expected 'AC' followed by 32"),
        ({"account_sid": ACCOUNT, "api_key": "x", "api_secret": "s"}, "expected 'SK'"),
        ({"account_sid": ACCOUNT}, "No credentials found"),
        ({"account_sid": ACCOUNT, "api_key": "SKx"}, "No credentials found"),
        ({"account_sid": ACCOUNT, "auth_token": "t", "api_key": "SKx"}, "not both"),
    ],
)
def test_what_is_missing_is_named(arguments: dict[str, str], sentence: str) -> None:
    with pytest.raises(CredentialsError, match=sentence):
        resolve(**arguments)


def test_a_token_passed_as_the_account_is_not_shown() -> None:
    with pytest.raises(CredentialsError) as caught:
        resolve(account_sid="sekret", auth_token=ACCOUNT)
    assert "sekret" not in str(caught.value)


@pytest.mark.parametrize("region", ["us1.", "us1 x", "evil.example/", "IE1"])
def test_a_region_that_is_none_is_refused(region: str) -> None:
    with pytest.raises(CredentialsError, match="Invalid region .*: expected a name such as 'ie1'"):
        base_url_for(None, region, None)


def test_the_secret_shows_nowhere() -> None:
    credentials = resolve(account_sid=ACCOUNT, auth_token="hush")
    assert "hush" not in f"{credentials!r} {credentials!s}"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(credentials)


@pytest.mark.parametrize(
    ("region", "edge", "host"),
    [
        (None, None, "api.twilio.com"),
        ("ie1", None, "api.ie1.twilio.com"),
        ("ie1", "dublin", "api.dublin.ie1.twilio.com"),
        (None, "dublin", "api.dublin.us1.twilio.com"),
    ],
)
def test_region_and_edge_name_the_host(
    region: str | None, edge: str | None, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert base_url_for(None, region, edge) == f"https://{host}"
    monkeypatch.setenv("TWILIO_REGION", region or "")
    monkeypatch.setenv("TWILIO_EDGE", edge or "")
    assert base_url_for(None, None, None) == f"https://{host}"


@pytest.mark.parametrize(
    "url",
    ["https://gateway.example", "http://127.0.0.1:8080", "http://[::1]:1", "http://localhost"],
)
def test_tls_and_this_machine_may_have_the_sign_in(url: str) -> None:
    assert base_url_for(url, None, None) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.twilio.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "ftp://127.0.0.1",
        "api.twilio.com",
        "",
        "https://user:pass@host",
        "https://host?x=1",
        "http://127.0.0.1:x",
        "http://[::1",
    ],
)
def test_anything_else_may_not(url: str) -> None:
    with pytest.raises(CredentialsError):
        base_url_for(url, None, None)
