"""The API as an ASGI application: answers under a limit, and after a latency."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from callkit.sandbox.answers import Answer, Api, Request, too_many


@dataclass(slots=True)
class Exchange:
    """A request, how many were in flight when it arrived and when that was, and the ways back."""

    request: Request
    scope: dict[str, Any]
    receive: Callable[[], Awaitable[dict[str, Any]]]
    send: Callable[[dict[str, Any]], Awaitable[None]]
    in_flight: int
    arrived: float = field(default_factory=perf_counter)

    def headers(self, answer: Answer) -> list[tuple[bytes, bytes]]:
        """Make all headers of an answer but those of its length."""
        headers = answer.all_headers(self.in_flight, perf_counter() - self.arrived)
        return [(name.encode(), value.encode()) for name, value in headers]


class App:
    """The application, how it is set to behave, and what it has seen.

    What it answers is decided in :meth:`respond` and :meth:`look_up`, and sent in :meth:`deliver`:
    a subclass can replace them.

    Attributes
    ----------
    latency, limit, retry_after
        As for :class:`callkit.sandbox.Sandbox`; they may change while it is served.
    in_flight, peak : int
        Requests in flight now, and the most there ever were.
    served : Counter
        Answers by status.
    stopping : asyncio.Event
        Once it is set, requests in flight are answered at once. Each server brings its own.
    """

    def __init__(
        self,
        api: Api,
        latency: float = 0.0,
        limit: int | None = None,
        retry_after: int | None = None,
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
        """Answer one request."""
        signed = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        request = Request(scope["method"], scope["path"], signed)
        exchange = Exchange(request, scope, receive, send, self.arrive())
        try:
            await self.deliver(exchange, await self.respond(exchange))
        finally:
            self.in_flight -= 1

    def arrive(self) -> int:
        """Count a request in; the result includes it."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self.in_flight

    def is_beyond_limit(self, in_flight: int) -> bool:
        """Whether the last of `in_flight` requests is one too many."""
        limit = self.limit  # another thread may be moving it
        return limit is not None and in_flight > limit

    async def respond(self, exchange: Exchange) -> Answer:
        """Find the answer."""
        if refusal := self.api.refusal(exchange.request):
            return refusal
        if self.is_beyond_limit(exchange.in_flight):
            return too_many(self.retry_after)
        return await self.look_up(exchange)

    async def look_up(self, exchange: Exchange) -> Answer:
        """Find the answer to a request that is not refused, in the time that this takes."""
        answer = self.api.look_up(exchange.request)
        rest = self.latency - (perf_counter() - exchange.arrived)
        if rest > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self.stopping.wait()
        return answer

    async def deliver(self, exchange: Exchange, answer: Answer) -> None:
        """Count an answer and send it."""
        self.served[answer.status] += 1
        length = (b"content-length", str(len(answer.body)).encode())
        headers = [*exchange.headers(answer), length]
        await exchange.send(
            {"type": "http.response.start", "status": answer.status, "headers": headers}
        )
        await exchange.send({"type": "http.response.body", "body": answer.body})
