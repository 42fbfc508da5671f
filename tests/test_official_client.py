"""A client that nobody here wrote reads the sandbox: Twilio's own package.

Its calls are held against what the sandbox *meant*, not against what it wrote.
"""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

import callkit
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
        check(client.api.v2010.accounts(call.account_sid).calls(call.sid).fetch(), call)


def check(read: Any, meant: Call) -> None:
    """Compare every attribute of a call that the client has read."""
    for column in ATTRIBUTES:
        shown = getattr(read, "_from" if column.name == "from" else column.name)
        value = meant.attributes()[column.name]
        assert understood(shown, value) == value, column.name


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


def test_a_month_is_the_same_to_callkit(sandbox: Sandbox) -> None:
    start, end = (datetime(2025, month, 1, tzinfo=UTC) for month in (3, 4))
    listed = client_of(sandbox).calls.stream(
        start_time_after=start, start_time_before=end, page_size=1_000
    )
    shown = {call.sid: call for call in listed}
    with sandbox.client() as client:
        got = callkit.collect(callkit.CallList(started=(start, end)), client=client)
    rows = got.table.to_pylist()
    assert {row["sid"] for row in rows} == shown.keys()
    for row in rows:
        for name, value in row.items():
            theirs = getattr(shown[row["sid"]], "_from" if name == "from" else name)
            assert typed(theirs, name) == value, name


def typed(shown: object, name: str) -> object:
    """Read what the official client shows of an attribute as callkit types it."""
    if shown in (None, ""):
        return None
    if name == "subresource_uris":
        return json.dumps(shown, separators=(",", ":"))
    if isinstance(shown, str) and name in NUMBERS:
        return NUMBERS[name](shown)
    return shown


NUMBERS: dict[str, Callable[[str], object]] = {
    "price": Decimal,
    "duration": lambda text: timedelta(seconds=int(text)),
    "queue_time": lambda text: timedelta(milliseconds=int(text)),
}


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


MARCH = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def of_march(sandbox: Sandbox) -> dict[str, Call]:
    calls = {sid: sandbox.call(sid) for sid in sandbox.sids(16_000)}
    since, before = MARCH
    return {s: c for s, c in calls.items() if c.start_time and since <= c.start_time < before}


def test_a_listed_month_is_what_the_sandbox_meant(
    sandbox: Sandbox, of_march: dict[str, Call]
) -> None:
    since, before = MARCH
    listed = client_of(sandbox).calls.list(
        start_time_after=since, start_time_before=before, page_size=1_000
    )
    assert sorted(call.sid for call in listed) == sorted(of_march)
    for call in listed:
        check(call, of_march[call.sid])


def test_a_streamed_month_is_the_listed_one_whatever_the_size_of_its_pages(
    sandbox: Sandbox, of_march: dict[str, Call]
) -> None:
    since, before = MARCH
    streamed = client_of(sandbox).calls.stream(
        start_time_after=since, start_time_before=before, page_size=777
    )
    assert sorted(call.sid for call in streamed) == sorted(of_march)


def test_calls_with_a_status_are_listed(sandbox: Sandbox) -> None:
    listed = client_of(sandbox).calls.list(status="busy", start_time_after=MARCH[0], limit=20)
    assert [call.status for call in listed] == ["busy"] * 20


def test_the_accounts_are_listed(sandbox: Sandbox) -> None:
    listed = client_of(sandbox).api.accounts.list()
    assert {account.sid: account.status for account in listed} == {
        sandbox.account_sid: "active",
        sandbox.subaccount_sid: "active",
        sandbox.closed_subaccount_sid: "closed",
    }


def test_a_restricted_key_may_not_list(sandbox: Sandbox) -> None:
    client = Client(
        sandbox.restricted_api_key,
        sandbox.restricted_api_secret,
        account_sid=sandbox.account_sid,
        http_client=ToTheSandbox(sandbox.url),
    )
    # The client raises the answer to a list as it came, not as an error of the API.
    with pytest.raises(TwilioException, match='HTTP 403 {"code":20403'):
        client.calls.list(limit=1)
