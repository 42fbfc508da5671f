"""The sandbox's application, in which requests meet faults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callkit.sandbox.api import Answer, App, not_found
from tests.support.breakage import BREAKAGES, STATUSLESS, Sending, break_off
from tests.support.faults import HARMLESS
from tests.support.protocol import protocol_of
from tests.support.substitutes import ELSEWHERE, Substitutes, accepts_gzip, unavailable

if TYPE_CHECKING:
    from callkit.sandbox.api import Exchange
    from tests.support.fate import Fate, Met

__all__ = ["FaultyApp"]

_OK = 200
# Refusals are quick; whatever else goes wrong takes as long as a look-up.
_AT_ONCE = frozenset({"401", "429", "429_retry_after"})


@dataclass(frozen=True)
class _Spoilt(Answer):
    """An answer, right or substituted, that is sent in the way of a fault."""

    met: Met | None = None


class FaultyApp(App):
    """An application as `app`; `fate` decides which request meets which fault, and counts.

    A redirect leads to another host, as far as a client can tell. It is served here too, and
    counts who comes, with a sign-in or without.
    """

    def __init__(self, fate: Fate, app: App) -> None:
        super().__init__(app.api, app.latency, app.limit, app.retry_after)
        self._fate = fate
        self._substitutes = Substitutes(fate.plan, self.api)

    async def respond(self, exchange: Exchange) -> Answer:
        """Find the answer: in an outage none is right."""
        met = self._fate.arrives(_subject_of(exchange))
        if met is not None:
            return self._spoil(unavailable(), met, exchange)
        if exchange.request.path.startswith(f"{ELSEWHERE}/"):
            signed = "with" if exchange.request.authorization else "without"
            self._fate.strayed[f"{signed} a sign-in"] += 1
            return not_found(exchange.request.path)
        return await super().respond(exchange)

    async def look_up(self, exchange: Exchange) -> Answer:
        """Find the answer to a request that is not refused, and the fault that it meets."""
        met = self._fate.meets(_subject_of(exchange) or "")
        if met is not None and met.kind == "gzip" and not accepts_gzip(exchange):
            met = None
        if met is not None and met.kind in _AT_ONCE:
            answer = self.api.look_up(exchange.request)
        else:
            answer = await super().look_up(exchange)
        return answer if met is None else self._spoil(answer, met, exchange)

    async def deliver(self, exchange: Exchange, answer: Answer) -> None:
        """Send an answer, or do with it what the fault does."""
        met = answer.met if isinstance(answer, _Spoilt) else None
        if met is not None and met.kind in BREAKAGES:
            if met.kind not in STATUSLESS:
                self.served[answer.status] += 1
            sending = Sending(answer, exchange, protocol_of(exchange))
            await break_off(met.kind, sending, self.stopping)
            return
        sid, whole = _subject_of(exchange), met is None or met.kind in HARMLESS
        if sid is not None and answer.status == _OK and whole and protocol_of(exchange).is_open:
            self._fate.served(sid)
        await super().deliver(exchange, answer)

    def _spoil(self, answer: Answer, met: Met, exchange: Exchange) -> Answer:
        self._fate.count(met, _subject_of(exchange))
        put = self._substitutes.of(met.kind, answer, exchange)
        return _Spoilt(put.status, put.body, put.headers, put.content_type, met)


def _subject_of(exchange: Exchange) -> str | None:
    """Return what an exchange is counted under: the SID of the call, or the URI of a page."""
    request = exchange.request
    if request.is_list:
        return f"{request.path}?{request.query}"
    return None if request.call is None else request.call[1]
