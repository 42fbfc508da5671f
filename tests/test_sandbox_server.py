"""The sandbox answers over HTTP as Twilio's Fetch Call endpoint does."""

import asyncio
import re
import socket
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

import pandas as pd
import pytest
import requests

from callkit.errors import SandboxError
from callkit.sandbox import Sandbox
from callkit.sandbox.api import Api, App
from callkit.sandbox.calls import CallGenerator
from callkit.schema import ATTRIBUTES

DIRECTIONS = next(column.vocabulary for column in ATTRIBUTES if column.name == "direction")
MALFORMED = ("CA123", "CA" + "g" * 32, "SM" + "0" * 32, "CA" + "0" * 33, "%00", "CA" + "٣" * 32)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(calls=1_000, seed=7) as sandbox:
        yield sandbox


def path_of(sid: str, account_sid: str) -> str:
    return f"/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json"


def get(
    sandbox: Sandbox, sid: str, account_sid: str | None = None, method: str = "GET"
) -> requests.Response:
    return requests.request(
        method,
        sandbox.url + path_of(sid, account_sid or sandbox.account_sid),
        auth=(sandbox.account_sid, sandbox.auth_token),
        timeout=10,
    )


def error(code: int, status: int, message: str) -> dict[str, Any]:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    return {"code": code, "message": message, "more_info": more_info, "status": status}


def test_a_known_call_is_answered_with_its_body(sandbox: Sandbox) -> None:
    sid = sandbox.sids(1)[0]
    answer = get(sandbox, sid)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json()["sid"] == sid
    assert answer.json()["status"] == sandbox.call(sid).status


def test_upper_case_digits_name_the_same_call(sandbox: Sandbox) -> None:
    sid = sandbox.sids(1)[0]
    assert get(sandbox, "CA" + sid[2:].upper()).json()["sid"] == sid


def test_an_api_key_signs_in_too(sandbox: Sandbox) -> None:
    url = sandbox.url + path_of(sandbox.sids(1)[0], sandbox.account_sid)
    assert requests.get(url, auth=(sandbox.api_key, sandbox.api_secret), timeout=10).ok


def test_an_unknown_sid_is_not_found(sandbox: Sandbox) -> None:
    sid = sandbox.unknown_sids(1)[0]
    answer = get(sandbox, sid)
    path = path_of(sid, sandbox.account_sid)
    assert answer.status_code == 404
    assert answer.json() == error(20404, 404, f"The requested resource {path} was not found")


@pytest.mark.parametrize("sid", MALFORMED)
def test_a_malformed_sid_is_not_found(sandbox: Sandbox, sid: str) -> None:
    answer = get(sandbox, sid)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_the_parent_fetches_its_subaccounts_calls_by_naming_it(sandbox: Sandbox) -> None:
    sid = subaccount_sid(sandbox)
    answer = get(sandbox, sid, sandbox.subaccount_sid)
    assert answer.status_code == 200
    assert answer.json()["account_sid"] == sandbox.subaccount_sid
    assert answer.json()["price_unit"] == "EUR"


def subaccount_sid(sandbox: Sandbox) -> str:
    frame = sandbox.sid_frame(10)
    return str(frame.loc[frame["account_sid"] == sandbox.subaccount_sid, "sid"].iloc[0])


def test_a_call_is_not_found_under_another_account(sandbox: Sandbox) -> None:
    own, sub = sandbox.sids(1)[0], subaccount_sid(sandbox)
    for sid, account_sid in [(sub, sandbox.account_sid), (own, sandbox.subaccount_sid)]:
        answer = get(sandbox, sid, account_sid)
        assert (answer.status_code, answer.json()["code"]) == (404, 20404)


def test_somebody_elses_account_is_not_found(sandbox: Sandbox) -> None:
    answer = get(sandbox, sandbox.sids(1)[0], "AC" + "0" * 32)
    assert (answer.status_code, answer.json()["code"]) == (404, 20404)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Basic",
        "Basic !!!",
        "Basic QUM6dG9rZW4=",
        "Bearer QUM6dG9rZW4=",
    ],
)
def test_without_the_right_credentials_nobody_is_signed_in(
    sandbox: Sandbox, header: str | None
) -> None:
    url = sandbox.url + path_of(sandbox.sids(1)[0], sandbox.account_sid)
    headers = {} if header is None else {"Authorization": header}
    answer = requests.get(url, headers=headers, timeout=10)
    assert answer.status_code == 401
    assert answer.json() == error(20003, 401, "Authenticate")
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Twilio API"'


@pytest.mark.parametrize("user", ["account_sid", "api_key"])
@pytest.mark.parametrize("password", ["auth_token", "api_secret"])
def test_a_user_signs_in_with_the_password_that_is_its_own(
    sandbox: Sandbox, user: str, password: str
) -> None:
    url = sandbox.url + path_of(sandbox.sids(1)[0], sandbox.account_sid)
    pair = (getattr(sandbox, user), getattr(sandbox, password))
    matching = (user, password) in {("account_sid", "auth_token"), ("api_key", "api_secret")}
    assert requests.get(url, auth=pair, timeout=10).status_code == (200 if matching else 401)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_another_method_is_not_allowed(sandbox: Sandbox, method: str) -> None:
    answer = get(sandbox, sandbox.sids(1)[0], method=method)
    assert (answer.status_code, answer.json()["code"]) == (405, 20004)
    assert answer.headers["Allow"] == "GET"


def test_a_head_request_is_refused_without_a_body(sandbox: Sandbox) -> None:
    answer = get(sandbox, sandbox.sids(1)[0], method="HEAD")
    assert (answer.status_code, answer.content) == (405, b"")


@pytest.mark.parametrize("path", ["/", "/2010-04-01/Accounts", "/2010-04-01/Accounts/AC/Calls/CA"])
def test_any_other_path_is_not_found(sandbox: Sandbox, path: str) -> None:
    answer = requests.get(sandbox.url + path, timeout=10)
    message = f"The requested resource {path} was not found"
    assert (answer.status_code, answer.json()) == (404, error(20404, 404, message))


def test_every_answer_carries_twilios_headers(sandbox: Sandbox) -> None:
    known, unknown = sandbox.sids(1)[0], sandbox.unknown_sids(1)[0]
    answers = [get(sandbox, known), get(sandbox, unknown), get(sandbox, known, method="POST")]
    for answer in answers:
        assert re.fullmatch(r"RQ[0-9a-f]{32}", answer.headers["Twilio-Request-Id"])
        assert answer.headers["Twilio-Concurrent-Requests"] == "1"
        assert 0 <= float(answer.headers["Twilio-Request-Duration"]) < 10
    assert len({answer.headers["Twilio-Request-Id"] for answer in answers}) == len(answers)


@pytest.mark.parametrize("retry_after", [None, 0, 3])
def test_beyond_the_limit_requests_are_refused(retry_after: int | None) -> None:
    with Sandbox(limit=0, retry_after=retry_after) as sandbox:
        answer = get(sandbox, sandbox.sids(1)[0])
    assert answer.status_code == 429
    assert answer.json() == error(20429, 429, "Too Many Requests")
    advised = None if retry_after is None else str(retry_after)
    assert answer.headers.get("Retry-After") == advised


def test_within_the_limit_requests_are_answered() -> None:
    with Sandbox(limit=1) as sandbox:
        assert [get(sandbox, sid).status_code for sid in sandbox.sids(5)] == [200] * 5


def test_requests_in_flight_together_are_counted_and_limited() -> None:
    generator = CallGenerator(calls=100, seed=7)
    app = App(Api(generator), latency=0.05, limit=8)

    async def twenty_at_once() -> list[dict[bytes, bytes]]:
        return await asyncio.gather(*(ask(app, generator) for _ in range(20)))

    headers = asyncio.run(twenty_at_once())
    assert app.served == {200: 8, 429: 12}
    # A refused request is in flight only while it is being refused.
    assert (app.peak, app.in_flight) == (9, 0)
    concurrent = [int(sent[b"twilio-concurrent-requests"]) for sent in headers]
    assert concurrent == [1, 2, 3, 4, 5, 6, 7, 8] + [9] * 12


async def ask(app: App, generator: CallGenerator) -> dict[bytes, bytes]:
    """Ask the application itself for a call, since only one event loop can be that punctual."""
    path = path_of(generator.sid_of(0), generator.parent.sid)
    auth = (generator.parent.sid, generator.auth_token)
    request = requests.Request("GET", f"http://sandbox{path}", auth=auth).prepare()
    sign_in = request.headers["Authorization"]
    messages: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"authorization", sign_in.encode())],
    }
    await app(scope, None, send)
    return dict(messages[0]["headers"])


def test_what_was_served_is_counted_by_status() -> None:
    with Sandbox(calls=100) as sandbox:
        for sid in [*sandbox.sids(3), *sandbox.unknown_sids(2)]:
            get(sandbox, sid)
        requests.get(sandbox.url, timeout=10)
        get(sandbox, sandbox.sids(1)[0], method="POST")
        assert sandbox.served == Counter({200: 3, 404: 3, 405: 1})
        assert sandbox.peak_in_flight == 1


def test_counts_outlive_the_server() -> None:
    with Sandbox(calls=10) as sandbox:
        get(sandbox, sandbox.sids(1)[0])
    assert sandbox.served[200] == 1


def test_stopping_leaves_no_thread_and_no_listener() -> None:
    before = threading.active_count()
    with Sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        assert threading.active_count() > before
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_stopping_closes_connections_that_are_kept_alive() -> None:
    with Sandbox() as sandbox:
        connection = HTTPConnection(sandbox.url.removeprefix("http://"), timeout=30)
        connection.request("GET", "/")
        connection.getresponse().read()
        kept = connection.sock
    assert kept.recv(1) == b""
    connection.close()


def test_stopping_answers_what_is_in_flight_instead_of_waiting_for_it() -> None:
    with Sandbox(latency=3600) as sandbox:
        sid = sandbox.sids(1)[0]
        signed_in = requests.Request(
            "GET", sandbox.url, auth=(sandbox.account_sid, sandbox.auth_token)
        ).prepare()
        connection = HTTPConnection(sandbox.url.removeprefix("http://"), timeout=30)
        path = path_of(sid, sandbox.account_sid)
        connection.request("GET", path, headers=dict(signed_in.headers))
        while requests.get(sandbox.url, timeout=10).headers["Twilio-Concurrent-Requests"] != "2":
            pass  # the request is still on its way to the server
    assert connection.getresponse().status == 200
    connection.close()


def test_an_exception_inside_stops_the_server_too() -> None:
    before = threading.active_count()
    with pytest.raises(ZeroDivisionError), Sandbox():
        _ = 1 / 0
    assert threading.active_count() == before


def test_a_sandbox_can_be_entered_again_with_the_same_calls() -> None:
    sandbox = Sandbox(calls=10)
    for _ in range(2):
        with sandbox:
            assert get(sandbox, sandbox.sids(1)[0]).status_code == 200


def test_a_port_in_use_is_named() -> None:
    with Sandbox() as first:
        port = int(first.url.rpartition(":")[2])
        with (
            pytest.raises(SandboxError, match=f"Port {port} on 127.0.0.1 is in use"),
            Sandbox(port=port),
        ):
            pass


def test_a_port_is_free_again_at_once() -> None:
    with Sandbox() as first:
        get(first, first.sids(1)[0])
        port = int(first.url.rpartition(":")[2])
    with Sandbox(port=port) as second:
        assert second.url == f"http://127.0.0.1:{port}"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "callkit.sandbox.server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(SandboxError, match=r"pip install httptools uvicorn"), Sandbox():
        pass


def test_a_sandbox_that_is_not_running_has_no_url() -> None:
    with pytest.raises(SandboxError, match="The sandbox is not running"):
        _ = Sandbox().url


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"calls": 0}, "Invalid calls 0: expected at least 1"),
        ({"latency": -0.5}, "Invalid latency -0.5: expected at least 0"),
        ({"latency": float("nan")}, "Invalid latency nan: expected at least 0"),
        ({"limit": -1}, "Invalid limit -1: expected at least 0"),
        ({"retry_after": -1}, "Invalid retry_after -1: expected at least 0"),
        ({"port": 65_536}, "Invalid port 65536: expected 0"),
    ],
)
def test_a_parameter_out_of_range_is_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sandbox(**parameters)


def test_sids_are_distinct_calls_of_the_parent_account(sandbox: Sandbox) -> None:
    sids = sandbox.sids(800)
    assert len(set(sids)) == 800
    assert {sandbox.call(sid).account_sid for sid in sids} == {sandbox.account_sid}


def test_more_sids_than_calls_are_refused(sandbox: Sandbox) -> None:
    assert len(sandbox.sids(800)) == 800
    message = "Cannot list 801 SIDs: the sandbox has 800 calls in its parent account"
    with pytest.raises(ValueError, match=message):
        sandbox.sids(801)


def test_sids_are_spread_over_the_period_and_all_kinds_in_the_order_of_their_start() -> None:
    sandbox = Sandbox(calls=10_000)
    calls = [sandbox.call(sid) for sid in sandbox.sids(1_000)]
    starts = [call.start_time for call in calls if call.start_time]
    assert starts == sorted(starts)
    assert Counter(start.month for start in starts).keys() == {1, 2, 3}
    assert {call.direction for call in calls} == set(DIRECTIONS)
    legs = [call for call in calls if call.parent_call_sid]
    assert 0.1 < len(legs) / len(calls) < 0.2
    assert {call.parent_call_sid for call in legs} <= {call.sid for call in calls}


@pytest.mark.parametrize("calls", [1, 2, 5, 9, 10, 11, 57])
def test_any_number_of_sids_can_be_had(calls: int) -> None:
    sandbox = Sandbox(calls=calls)
    for n in range(calls + 1):
        frame = sandbox.sid_frame(n)
        assert (len(frame), frame["sid"].nunique()) == (n, n)
    for n in range(calls - calls // 5 + 1):
        assert len(set(sandbox.sids(n))) == n


def test_a_sid_frame_says_whose_each_call_is(sandbox: Sandbox) -> None:
    frame = sandbox.sid_frame(1_000)
    assert list(frame.columns) == ["sid", "account_sid"]
    assert set(frame.dtypes.astype(str)) == {"str"}
    assert frame["sid"].is_unique
    counts = frame["account_sid"].value_counts().to_dict()
    assert counts == {sandbox.account_sid: 800, sandbox.subaccount_sid: 200}
    meant = pd.Series([sandbox.call(sid).account_sid for sid in frame["sid"]], dtype="str")
    assert (meant == frame["account_sid"]).all()


def test_unknown_sids_are_well_formed_and_unknown(sandbox: Sandbox) -> None:
    sids = sandbox.unknown_sids(50)
    assert len(set(sids)) == 50
    for sid in sids:
        assert re.fullmatch("CA[0-9a-f]{32}", sid)
        with pytest.raises(LookupError, match=f"'{sid}' in this sandbox of 1,000 calls"):
            sandbox.call(sid)


def test_ten_million_calls_cost_no_memory_and_no_time_to_start() -> None:
    sandbox = Sandbox(calls=10_000_000)
    last = sandbox._generator.sid_of(9_999_999)
    assert sandbox.call(last).sid == last


def test_credentials_look_the_part_and_are_obviously_fake(sandbox: Sandbox) -> None:
    assert re.fullmatch("AC(fa4e){3}[0-9a-f]{20}", sandbox.account_sid)
    assert re.fullmatch("AC(fa4e){3}[0-9a-f]{20}", sandbox.subaccount_sid)
    assert re.fullmatch("SK(fa4e){3}[0-9a-f]{20}", sandbox.api_key)
    assert re.fullmatch("(fa4e){3}[0-9a-f]{20}", sandbox.auth_token)
    assert re.fullmatch("(fa4e){3}[0-9a-f]{20}", sandbox.api_secret)


def test_no_repr_shows_a_secret(sandbox: Sandbox) -> None:
    for shown in (repr(sandbox), repr(sandbox._generator)):
        assert sandbox.auth_token not in shown
        assert sandbox.api_secret not in shown


def test_its_client_is_signed_in(sandbox: Sandbox) -> None:
    sid = sandbox.sids(1)[0]
    with sandbox.client(timeout=5) as client:
        assert client.fetch(sid)["sid"] == sid
