"""A foreign load: somebody else of the same account, whose requests are in flight too."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callkit.sandbox.api import App

__all__ = ["ForeignLoad"]

# Without latency, a load would do nothing but come and go.
_LEAST_SECONDS = 0.01
# Between an answer and the next request, a place is free for whoever comes first.
_BETWEEN_SECONDS = 0.001


class ForeignLoad:
    """So many callers, each of whom asks anew as soon as it is answered.

    A caller that is refused asks again a latency later. All of it happens inside the server, on
    its event loop.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self.asked = 0
        self.refused = 0
        self._callers: dict[int, asyncio.Task[None]] = {}
        self._wanted = 0

    def want(self, callers: int) -> None:
        """Set how many callers there are; whoever is too many leaves when it is answered."""
        self._wanted = callers
        for number in range(callers):
            if number not in self._callers or self._callers[number].done():
                # Those who begin together would for ever come and go together.
                delay = self._seconds * number / callers
                self._callers[number] = asyncio.create_task(self._call(number, delay))

    async def _call(self, number: int, delay: float) -> None:
        await self._pass(delay)
        while number < self._wanted and not self._app.stopping.is_set():
            self.asked += 1
            self._app.in_flight += 1
            self._app.peak = max(self._app.peak, self._app.in_flight)
            limit = self._app.limit
            if limit is not None and self._app.in_flight > limit:
                self.refused += 1
                self._app.in_flight -= 1
                await self._pass(self._seconds)
            else:
                await self._pass(self._seconds)
                self._app.in_flight -= 1
                await asyncio.sleep(_BETWEEN_SECONDS)

    @property
    def _seconds(self) -> float:
        return max(self._app.latency, _LEAST_SECONDS)

    async def _pass(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._app.stopping.wait(), seconds)
