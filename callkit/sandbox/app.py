"""The sandbox as an ASGI application: who may fetch which call, and how fast.

A request comes in through :class:`Door`, which counts it, has it answered, stamps the answer with
Twilio's headers and sends it. Between answering and sending is the one place where an answer can
be seen, changed or withheld.
"""

from __future__ import annotations

import asyncio
import binascii
from base64 import b64decode
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.applications import Starlette
from starlette.routing import Route

from callkit.sandbox import answers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Receive, Scope, Send

    from callkit.sandbox.accounts import Credentials
    from callkit.sandbox.answers import Answer
    from callkit.sandbox.traffic import Conditions, Traffic
    from callkit.sandbox.world import World

__all__ = ["Door", "create_app"]

_CALL_PATH = "/2010-04-01/Accounts/{account_sid}/Calls/{sid}.json"
_EVERYWHERE = "/{path:path}"


def create_app(
    world: World, conditions: Conditions, traffic: Traffic, stopping: asyncio.Event
) -> Starlette:
    """Make the application.

    Parameters
    ----------
    world : World
        The calls.
    conditions : Conditions
        Latency and limit.
    traffic : Traffic
        Where to count.
    stopping : asyncio.Event
        Once it is set, requests in flight are answered at once.
    """
    endpoint = _FetchCall(world, conditions, stopping)
    return Starlette(
        routes=[
            Route(_CALL_PATH, Door(endpoint.answer, traffic)),
            Route(_EVERYWHERE, Door(_nothing_here, traffic)),
        ]
    )


class Door:
    """The way in and out for every request."""

    def __init__(self, answer: Callable[[Scope, int], Awaitable[Answer]], traffic: Traffic) -> None:
        self._answer = answer
        self._traffic = traffic

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        arrived = perf_counter()
        in_flight = self._traffic.arrive()
        try:
            answer = await self._answer(scope, in_flight)
            self._traffic.served[answer.status] += 1
            await _send(answer, send, in_flight, perf_counter() - arrived)
        finally:
            self._traffic.leave()


class _FetchCall:
    """The endpoint: one call, for whoever may see it."""

    def __init__(self, world: World, conditions: Conditions, stopping: asyncio.Event) -> None:
        self._world = world
        self._conditions = conditions
        self._stopping = stopping
        self._sign_ins = _sign_ins(world.credentials)

    async def answer(self, scope: Scope, in_flight: int) -> Answer:
        if _signed_in_as(scope) not in self._sign_ins:
            return answers.unauthorized()
        if scope["method"] != "GET":
            return answers.method_not_allowed(scope["path"], scope["method"])
        limit = self._conditions.limit
        if limit is not None and in_flight > limit:
            return answers.too_many(self._conditions.retry_after)
        await self._take_time()
        return self._look_up(scope)

    async def _take_time(self) -> None:
        if self._conditions.latency > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._conditions.latency)

    def _look_up(self, scope: Scope) -> Answer:
        asked = scope["path_params"]
        index = self._world.index_of(asked["sid"])
        # A call is found under its own account alone, but the parent may name its subaccount.
        if index is None or self._world.account_of(index).sid != asked["account_sid"]:
            return answers.not_found(scope["path"])
        return answers.found(self._world.call(index))


async def _nothing_here(scope: Scope, _in_flight: int) -> Answer:
    return answers.not_found(scope["path"])


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


async def _send(answer: Answer, send: Send, in_flight: int, seconds: float) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(answer.body)).encode()),
        (b"twilio-request-id", f"RQ{uuid4().hex}".encode()),
        (b"twilio-concurrent-requests", str(in_flight).encode()),
        (b"twilio-request-duration", f"{seconds:.3f}".encode()),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
