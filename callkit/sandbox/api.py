"""What the API answers to which request, as an ASGI application and to requests in this process."""

import asyncio
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import cached_property
from io import BytesIO
from time import perf_counter
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import msgspec
import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from callkit.sandbox.calls import CallGenerator, body_of
from callkit.sandbox.draws import AS_OF
from callkit.sandbox.lists import InvalidParameterError, list_accounts, list_calls

# A host that no resolver knows (RFC 6761), should a request ever leave this process.
BASE_URL = "https://sandbox.invalid"

_CALL_PATH = re.compile(r"/2010-04-01/Accounts/([^/]+)/Calls/([^/]+)\.json")
_CALLS_PATH = re.compile(r"/2010-04-01/Accounts/([^/]+)/Calls\.json")
_ACCOUNTS_PATH = "/2010-04-01/Accounts.json"


@dataclass(frozen=True)
class Request:
    """A request: its path is decoded, its authorization and its query are as they were sent."""

    method: str
    path: str
    authorization: str = ""
    query: str = ""

    @cached_property
    def call(self) -> tuple[str, str] | None:
        match = _CALL_PATH.fullmatch(self.path)
        return None if match is None else (match[1], match[2])

    @cached_property
    def calls_of(self) -> str | None:
        """The account whose calls are to be listed."""
        match = _CALLS_PATH.fullmatch(self.path)
        return None if match is None else match[1]

    @property
    def is_list(self) -> bool:
        return self.calls_of is not None or self.path == _ACCOUNTS_PATH


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"

    def all_headers(
        self, now: datetime, in_flight: int = 1, seconds: float = 0.0
    ) -> list[tuple[str, str]]:
        return [
            ("content-type", self.content_type),
            ("date", format_datetime(now, usegmt=True)),
            ("twilio-request-id", f"RQ{uuid4().hex}"),
            ("twilio-concurrent-requests", str(in_flight)),
            ("twilio-request-duration", f"{seconds:.3f}"),
            *self.headers,
        ]


class Api:
    """The API at a time `now`, in UTC, which may be set at any time."""

    def __init__(self, generator: CallGenerator, now: datetime = AS_OF) -> None:
        self.generator = generator
        self.now = now
        self._restricted = (
            f"{generator.restricted_api_key}:{generator.restricted_api_secret}".encode()
        )
        self._sign_ins = {
            f"{generator.parent.sid}:{generator.auth_token}".encode(),
            f"{generator.api_key}:{generator.api_secret}".encode(),
            self._restricted,
        }

    def refusal(self, request: Request) -> Answer | None:
        """Answer a request that is refused before anything is looked up, and no other."""
        if request.call is None and not request.is_list:
            return not_found(request.path)
        signed_in = _signed_in_as(request.authorization)
        if signed_in not in self._sign_ins:
            return unauthorized()
        if request.method != "GET":
            message = (
                f"The requested resource {request.path} does not support the method "
                f"{request.method}"
            )
            return error(405, 20004, message, ("allow", "GET"))
        if request.is_list and signed_in == self._restricted:
            return error(403, 20403, "Forbidden")
        return None

    def look_up(self, request: Request) -> Answer:
        try:
            body = self._list(request) if request.is_list else self._call(request)
        except InvalidParameterError as invalid:
            return error(400, 20001, str(invalid))
        return not_found(request.path) if body is None else Answer(200, body)

    def _list(self, request: Request) -> bytes | None:
        if request.calls_of is None:
            return list_accounts(self.generator, request.path, request.query)
        if request.calls_of not in self.generator.of_accounts:
            return None
        return list_calls(
            self.generator, request.calls_of, request.path, request.query, now=self.now
        )

    def _call(self, request: Request) -> bytes | None:
        account_sid, sid = request.call or ("", "")
        index = self.generator.index_of(sid)
        # A call is found under its own account alone, but the parent may name its subaccount.
        if index is None or self.generator.account_of(index).sid != account_sid:
            return None
        now = self.now  # another thread may be moving it
        call = self.generator.call(index, now)
        return body_of(call) if call.date_created <= now else None


def unauthorized() -> Answer:
    return error(401, 20003, "Authenticate", ("www-authenticate", 'Basic realm="Twilio API"'))


def not_found(path: str) -> Answer:
    return error(404, 20404, f"The requested resource {path} was not found")


def too_many(retry_after: int | None) -> Answer:
    advice = () if retry_after is None else (("retry-after", str(retry_after)),)
    return error(429, 20429, "Too Many Requests", *advice)


def error(status: int, code: int, message: str, *headers: tuple[str, str]) -> Answer:
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    body = {"code": code, "message": message, "more_info": more_info, "status": status}
    return Answer(status, msgspec.json.encode(body), headers)


def _signed_in_as(authorization: str) -> bytes | None:
    scheme, _, encoded = authorization.partition(" ")
    try:
        return b64decode(encoded, validate=True) if scheme.lower() == "basic" else None
    except ValueError:  # neither base64 nor, for that matter, ASCII
        return None


@dataclass(slots=True)
class Exchange:
    """A request, what the time and the load were when it arrived, and the ways back."""

    request: Request
    now: datetime
    scope: dict[str, Any]
    receive: Callable[[], Awaitable[dict[str, Any]]]
    send: Callable[[dict[str, Any]], Awaitable[None]]
    in_flight: int
    arrived: float = field(default_factory=perf_counter)

    def headers(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """Make all headers of an answer but those of its length."""
        headers = answer.all_headers(self.now, self.in_flight, perf_counter() - self.arrived)
        return [(name.encode(), value.encode()) for name, value in headers]


class App:
    """The API as an ASGI application: answers under a limit, and after a latency.

    A subclass can replace :meth:`respond` and :meth:`look_up`, which decide what to answer, and
    :meth:`deliver`, which sends it. Settings may change while it is served. Once `stopping` is set,
    requests in flight are answered at once; each server brings its own.
    """

    def __init__(
        self, api: Api, latency: float = 0, limit: int | None = None, retry_after: int | None = None
    ) -> None:
        self.api = api
        self.latency = latency
        self.limit = limit
        self.retry_after = retry_after
        self.in_flight = 0
        self.peak = 0
        self.served: Counter[int] = Counter()
        self.stopping = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        signed = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        query = scope["query_string"].decode("latin-1")
        request = Request(scope["method"], scope["path"], signed, query)
        exchange = Exchange(request, self.api.now, scope, receive, send, self.in_flight)
        try:
            await self.deliver(exchange, await self.respond(exchange))
        finally:
            self.in_flight -= 1

    async def respond(self, exchange: Exchange) -> Answer:
        if refusal := self.api.refusal(exchange.request):
            return refusal
        limit = self.limit  # another thread may be moving it
        if limit is not None and exchange.in_flight > limit:
            return too_many(self.retry_after)
        return await self.look_up(exchange)

    async def look_up(self, exchange: Exchange) -> Answer:
        answer = self.api.look_up(exchange.request)
        rest = self.latency - (perf_counter() - exchange.arrived)
        if rest > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self.stopping.wait()
        return answer

    async def deliver(self, exchange: Exchange, answer: Answer) -> None:
        self.served[answer.status] += 1
        headers = [*exchange.headers(answer), (b"content-length", b"%d" % len(answer.body))]
        await exchange.send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        await exchange.send({"type": "http.response.body", "body": answer.body})


class _Adapter(BaseAdapter):
    """Answers at once; there is nothing to time out, to verify or to close."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self._api = api

    def send(
        self, request: requests.PreparedRequest, *_args: Any, **_options: Any
    ) -> requests.Response:
        url = urlsplit(request.url or "")
        authorization = request.headers.get("Authorization", "")
        if isinstance(authorization, bytes):
            authorization = authorization.decode("latin-1")
        asked = Request(request.method or "GET", unquote(url.path), authorization, url.query)
        answer = self._api.refusal(asked) or self._api.look_up(asked)
        response = requests.Response()
        response.status_code = answer.status
        length = ("content-length", str(len(answer.body)))
        response.headers = CaseInsensitiveDict([*answer.all_headers(self._api.now), length])
        response.raw = BytesIO(b"" if request.method == "HEAD" else answer.body)
        response.request, response.url = request, request.url or ""
        return response

    def close(self) -> None:
        pass


def answered_by(api: Api, session: requests.Session | None = None) -> requests.Session:
    """Make a session (a new one by default) whose requests to :data:`BASE_URL` `api` answers."""
    session = session or requests.Session()
    session.mount(BASE_URL, _Adapter(api))
    return session
