"""A server with a limit, and clients that keep within it, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from callkit.fetch.concurrency import Limiter, RetryPolicy, Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_ON_THE_WAY = 0.002  # seconds at most, each way
_REFUSED_IN = 0.003


@dataclass
class Client:
    limiter: Limiter
    calls: int
    latency: float
    arrived: int = 0
    refused: int = 0
    finished_at: float | None = None
    per_second: dict[int, int] = field(default_factory=lambda: defaultdict(int))


class Simulation:
    """Runs clients against one limit until all have their calls, or for so many seconds."""

    def __init__(
        self,
        limit: Callable[[float], int],
        latency: float,
        *,
        retry_after: float | None = None,
        tells: bool = True,
        foreign: int = 0,
        seed: int = 1,
    ) -> None:
        self._limit = limit
        self._latency = latency
        self._retry_after = retry_after
        self._tells = tells
        self._foreign = foreign
        self._rng = random.Random(seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._tie = count()
        self._in_flight = 0
        self.now = 0.0
        self.clients: list[Client] = []
        self.foreign_requests = 0
        self.foreign_refused = 0

    def run(
        self,
        *concurrencies: int,
        calls: int = 10**9,
        seconds: float = 1e9,
        apart: float = 0.0,
        latencies: Sequence[float] = (),
    ) -> None:
        """Run a client for each of `concurrencies`; `latencies` are theirs, if they differ."""
        each = latencies or [self._latency] * len(concurrencies)
        self.clients = [
            Client(Limiter(concurrency, RetryPolicy()), calls, latency)
            for concurrency, latency in zip(concurrencies, each, strict=True)
        ]
        for _ in range(self._foreign):
            self._after(self._rng.random() * self._latency, self._come_from_elsewhere)
        for place, client in enumerate(self.clients):
            self._after(place * apart, lambda client=client: self._send(client))  # type: ignore[misc]
        while self._events and not all(client.finished_at for client in self.clients):
            self.now, _, event = heapq.heappop(self._events)
            if self.now > seconds:
                return
            event()

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._tie), event))

    def _on_the_way(self) -> float:
        return self._rng.random() * _ON_THE_WAY

    def _send(self, client: Client) -> None:
        while client.calls > 0:
            sent = client.limiter.send(self.now)
            if sent is None:
                return
            if not isinstance(sent, Sent):
                self._after(sent + 1e-6, lambda: self._send(client))
                return
            client.calls -= 1
            self._after(self._on_the_way(), lambda sent=sent: self._meet(client, sent))  # type: ignore[misc]

    def _meet(self, client: Client, sent: Sent) -> None:
        counted = self._in_flight + 1 if self._tells else None
        if self._in_flight >= self._limit(self.now):
            self._after(_REFUSED_IN, lambda: self._refuse(client, sent, counted))
        else:
            self._in_flight += 1
            self._after(client.latency, lambda: self._finish(client, sent, counted))

    def _refuse(self, client: Client, sent: Sent, counted: int | None) -> None:
        client.refused += 1
        client.calls += 1
        client.limiter.on_busy(sent, self.now, counted, self._retry_after)
        self._send(client)

    def _finish(self, client: Client, sent: Sent, counted: int | None) -> None:
        self._in_flight -= 1
        self._after(self._on_the_way(), lambda: self._arrive(client, sent, counted))

    def _arrive(self, client: Client, sent: Sent, counted: int | None) -> None:
        client.arrived += 1
        client.per_second[int(self.now)] += 1
        client.limiter.on_answer(sent, self.now, counted)
        self._send(client)
        if client.calls == 0 and client.limiter.in_flight == 0:
            client.finished_at = self.now

    def _come_from_elsewhere(self) -> None:
        self.foreign_requests += 1
        if self._in_flight < self._limit(self.now):
            self._in_flight += 1
            self._after(self._latency, self._leave_for_elsewhere)
        else:
            self.foreign_refused += 1
            self._after(self._latency, self._come_from_elsewhere)

    def _leave_for_elsewhere(self) -> None:
        self._in_flight -= 1
        self._after(0.001, self._come_from_elsewhere)
