"""A client that nobody here wrote reads the sandbox: Twilio's own package.

Its calls are held against what the sandbox *meant*, not against what it wrote.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from callkit.sandbox import Call, Sandbox
from callkit.sandbox.calls import Value
from callkit.schema import ATTRIBUTES

FETCHED = 50


class ToTheSandbox:
    """Twilio's HTTP client, sent to another host."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = TwilioHttpClient(pool_connections=False)

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        sandboxed = url.replace("https://api.twilio.com", self._url)
        return self._client.request(method, sandboxed, *args, **kwargs)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(calls=20_000, seed=7) as sandbox:
        yield sandbox


def client_of(sandbox: Sandbox, password: str | None = None) -> Client:
    return Client(
        sandbox.account_sid,
        password or sandbox.auth_token,
        http_client=ToTheSandbox(sandbox.url),
    )


def all_kinds(sandbox: Sandbox) -> list[Call]:
    """The first call of each kind, and the first of all until there are fifty."""
    calls = [sandbox.call(sid) for sid in sandbox.sid_frame(10_000)["sid"]]
    kinds: dict[object, Call] = {}
    for call in calls:
        for kind in kinds_of(call):
            kinds.setdefault(kind, call)
    chosen = {call.sid: call for call in kinds.values()}
    for call in calls:
        if len(chosen) < FETCHED:
            chosen.setdefault(call.sid, call)
    return list(chosen.values())


def kinds_of(call: Call) -> Iterator[object]:
    yield "status", call.status
    yield "direction", call.direction
    yield "answered by", call.answered_by
    yield "account", call.account_sid
    yield "caller", call.from_.partition(":")[0] if ":" in call.from_ else call.from_[:3]
    yield "callee", call.to.partition(":")[0] if ":" in call.to else call.to[:3]
    yield "sign of the price", call.price and call.price.compare(Decimal(0))
    for name, value in call.attributes().items():
        yield name, value is None


def test_fifty_calls_of_all_kinds_are_what_the_sandbox_meant(sandbox: Sandbox) -> None:
    meant = all_kinds(sandbox)
    assert len(meant) >= FETCHED
    client = client_of(sandbox)
    for call in meant:
        fetched = client.api.v2010.accounts(call.account_sid).calls(call.sid).fetch()
        for column in ATTRIBUTES:
            shown = getattr(fetched, "_from" if column.name == "from" else column.name)
            assert (
                understood(shown, call.attributes()[column.name])
                == (call.attributes()[column.name])
            ), column.name


def understood(shown: object, meant: Value) -> object:
    """Read what the client leaves as text, and either form of absent."""
    match meant:
        case None:
            return shown or None
        case datetime():
            return shown
        case int() | Decimal():
            assert isinstance(shown, str)
            return type(meant)(shown)
        case _:
            return shown


def test_the_kinds_are_all_there(sandbox: Sandbox) -> None:
    meant = all_kinds(sandbox)
    for name in ("status", "direction"):
        vocabulary = next(column.vocabulary for column in ATTRIBUTES if column.name == name)
        assert {getattr(call, name) for call in meant} == set(vocabulary)
    assert {call.price_unit for call in meant} == {"USD", "EUR"}


def test_an_unknown_call_is_a_404(sandbox: Sandbox) -> None:
    with pytest.raises(TwilioRestException) as caught:
        client_of(sandbox).calls(sandbox.unknown_sids(1)[0]).fetch()
    assert (caught.value.status, caught.value.code) == (404, 20404)


def test_a_wrong_token_is_a_401(sandbox: Sandbox) -> None:
    with pytest.raises(TwilioRestException) as caught:
        client_of(sandbox, password="wrong").calls(sandbox.sids(1)[0]).fetch()
    assert (caught.value.status, caught.value.code) == (401, 20003)


def test_too_many_in_flight_is_a_429() -> None:
    with Sandbox(calls=10, limit=0) as sandbox, pytest.raises(TwilioRestException) as caught:
        client_of(sandbox).calls(sandbox.sids(1)[0]).fetch()
    assert (caught.value.status, caught.value.code) == (429, 20429)
    assert "Too Many Requests" in caught.value.msg


def test_an_api_key_signs_in_for_the_account(sandbox: Sandbox) -> None:
    client = Client(
        sandbox.api_key,
        sandbox.api_secret,
        account_sid=sandbox.account_sid,
        http_client=ToTheSandbox(sandbox.url),
    )
    sid = sandbox.sids(1)[0]
    assert client.calls(sid).fetch().sid == sid
