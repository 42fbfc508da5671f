"""The sandbox as an ASGI application: who may fetch which call, how fast, and what goes wrong.

A request comes in through :class:`Door`, which counts it, has it answered, stamps the answer with
Twilio's headers and sends it. Whatever fault the request meets comes between answering and
sending.
"""

from __future__ import annotations

import asyncio
import binascii
from abc import abstractmethod
from base64 import b64decode
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Protocol
from uuid import uuid4

from starlette.applications import Starlette
from starlette.routing import Route

from callkit.sandbox import answers
from callkit.sandbox.faults.breakage import BREAKAGES, STATUSLESS, Sending, break_off
from callkit.sandbox.faults.plan import HARMLESS
from callkit.sandbox.faults.substitutes import ELSEWHERE, Substitutes, accepts_gzip
from callkit.sandbox.wire import wire_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from callkit.sandbox.accounts import Credentials
    from callkit.sandbox.answers import Answer, Header
    from callkit.sandbox.faults.fate import Fate, Met
    from callkit.sandbox.traffic import Conditions, Traffic
    from callkit.sandbox.world import World

__all__ = ["Door", "Premises", "create_app"]

_CALL_PATH = "/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json"
_ELSEWHERE = f"{ELSEWHERE}/{{path:path}}"
_EVERYWHERE = "/{path:path}"
_OK = 200
# Refusals are quick; whatever else goes wrong takes as long as a look-up.
_AT_ONCE = frozenset({"401", "429", "429_retry_after"})


@dataclass(frozen=True, slots=True)
class Premises:
    """What the application works with.

    The calls, the latency and limit, where to count, what decides on faults, and an event: once it
    is set, requests in flight are answered at once.
    """

    world: World
    conditions: Conditions
    traffic: Traffic
    fate: Fate
    stopping: asyncio.Event


class Endpoint(Protocol):
    """What lies behind a door."""

    @abstractmethod
    async def answer(
        self, scope: Scope, in_flight: int, arrived: float, /
    ) -> tuple[Answer, Met | None]:
        """Find the right answer to a request, and the fault that it meets instead."""


def create_app(premises: Premises) -> Starlette:
    """Make the application."""
    endpoints: dict[str, Endpoint] = {
        _CALL_PATH: _FetchCall(premises),
        _ELSEWHERE: _Elsewhere(premises.fate),
        _EVERYWHERE: _Nothing(),
    }
    return Starlette(
        routes=[Route(path, Door(endpoint, premises)) for path, endpoint in endpoints.items()]
    )


class Door:
    """The way in and out for every request."""

    def __init__(self, endpoint: Endpoint, premises: Premises) -> None:
        self._endpoint = endpoint
        self._traffic = premises.traffic
        self._fate = premises.fate
        self._stopping = premises.stopping
        self._substitutes = Substitutes(premises.fate.plan, premises.world)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        arrived = perf_counter()
        in_flight = self._traffic.arrive()
        sid: str | None = scope["path_params"].get("sid")
        try:
            answer, met = answers.unavailable(), self._fate.arrives(sid)
            if met is None:
                answer, met = await self._endpoint.answer(scope, in_flight, arrived)
            if met is not None:
                self._fate.count(met, sid)
                answer = self._substitutes.of(met.kind, answer, scope)
            if met is None or met.kind not in STATUSLESS:
                self._traffic.served[answer.status] += 1
            headers = _stamped(answer, in_flight, perf_counter() - arrived)
            if met is not None and met.kind in BREAKAGES:
                sending = Sending(answer, headers, send, wire_of(scope))
                await break_off(met.kind, sending, receive, self._stopping)
                return
            if self._fate.keeps and sid is not None:
                self._note(sid, answer, met, scope)
            await _send(answer, headers, send)
        finally:
            self._traffic.leave()

    def _note(self, sid: str, answer: Answer, met: Met | None, scope: Scope) -> None:
        whole = answer.status == _OK and (met is None or met.kind in HARMLESS)
        if whole and wire_of(scope).is_open:
            self._fate.served(sid)


class _FetchCall:
    """The endpoint: one call, for whoever may see it."""

    def __init__(self, premises: Premises) -> None:
        self._world = premises.world
        self._conditions = premises.conditions
        self._fate = premises.fate
        self._stopping = premises.stopping
        self._sign_ins = _sign_ins(premises.world.credentials)

    async def answer(
        self, scope: Scope, in_flight: int, arrived: float
    ) -> tuple[Answer, Met | None]:
        refusal = self._refusal(scope, in_flight)
        if refusal is not None:
            return refusal, None
        met = self._fate.meets(scope["path_params"]["sid"])
        if met is not None and met.kind == "gzip" and not accepts_gzip(scope):
            met = None
        answer = self._look_up(scope)
        if met is None or met.kind not in _AT_ONCE:
            await self._take_time(arrived)
        return answer, met

    def _refusal(self, scope: Scope, in_flight: int) -> Answer | None:
        if _signed_in_as(scope) not in self._sign_ins:
            return answers.unauthorized()
        if scope["method"] != "GET":
            return answers.method_not_allowed(scope["path"], scope["method"])
        if self._conditions.refuse(in_flight):
            return answers.too_many(self._conditions.retry_after)
        return None

    async def _take_time(self, arrived: float) -> None:
        """Let the latency pass that the look-up has not used up itself."""
        rest = self._conditions.latency - (perf_counter() - arrived)
        if rest > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._stopping.wait()

    def _look_up(self, scope: Scope) -> Answer:
        asked = scope["path_params"]
        index = self._world.index_of(asked["sid"])
        # A call is found under its own account alone, but the parent may name its subaccount.
        if index is None or self._world.account_of(index).sid != asked["account_sid"]:
            return answers.not_found(scope["path"])
        return answers.found(self._world.call(index))


class _Elsewhere:
    """Another host, as far as a client can tell: it counts who comes, and with a sign-in or not."""

    def __init__(self, fate: Fate) -> None:
        self._fate = fate

    async def answer(
        self, scope: Scope, _in_flight: int, _arrived: float
    ) -> tuple[Answer, Met | None]:
        signed = any(name == b"authorization" for name, _ in scope["headers"])
        self._fate.strayed["with a sign-in" if signed else "without a sign-in"] += 1
        return answers.not_found(scope["path"]), None


class _Nothing:
    """Any other path."""

    async def answer(
        self, scope: Scope, _in_flight: int, _arrived: float
    ) -> tuple[Answer, Met | None]:
        return answers.not_found(scope["path"]), None


def _sign_ins(credentials: Credentials) -> frozenset[bytes]:
    pairs = (
        (credentials.account_sid, credentials.auth_token),
        (credentials.api_key, credentials.api_secret),
    )
    return frozenset(f"{user}:{password}".encode() for user, password in pairs)


def _signed_in_as(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, encoded = value.partition(b" ")
            try:
                return b64decode(encoded, validate=True) if scheme.lower() == b"basic" else None
            except binascii.Error:
                return None
    return None


def _stamped(answer: Answer, in_flight: int, seconds: float) -> list[Header]:
    return [
        (b"content-type", answer.content_type),
        (b"twilio-request-id", f"RQ{uuid4().hex}".encode()),
        (b"twilio-concurrent-requests", str(in_flight).encode()),
        (b"twilio-request-duration", f"{seconds:.3f}".encode()),
        *answer.headers,
    ]


async def _send(answer: Answer, headers: list[Header], send: Send) -> None:
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
