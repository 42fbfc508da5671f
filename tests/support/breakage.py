"""Faults that leave an answer unfinished: no answer, half of one, or one without an end."""

from __future__ import annotations

import asyncio
import gzip
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from callkit.sandbox.api import Answer, Exchange
    from tests.support.faults import Kind
    from tests.support.protocol import BreakableProtocol

__all__ = ["BREAKAGES", "STATUSLESS", "Sending", "break_off"]

_GIGABYTE = 1 << 30
_MEGABYTE = 1 << 20
# Whitespace after a JSON value is part of no value: a body is valid, however long.
_CHUNK = b" " * (1 << 16)
_DRIP_SECONDS = 0.05
# What was written before a reset has to be on its way, or the reset discards it.
_ON_ITS_WAY_SECONDS = 0.02


class Sending(NamedTuple):
    """An answer about to be sent, and the exchange and the connection that it is sent by."""

    answer: Answer
    exchange: Exchange
    protocol: BreakableProtocol

    async def start(self, *more: tuple[bytes, bytes]) -> None:
        """Send the status and the headers."""
        headers = [*self.exchange.headers(self.answer), *more]
        await self.exchange.send(
            {"type": "http.response.start", "status": self.answer.status, "headers": headers}
        )

    async def piece(self, body: bytes, *, last: bool = False) -> None:
        """Send a piece of the body, and let others have their turn."""
        await self.exchange.send(
            {"type": "http.response.body", "body": body, "more_body": not last}
        )
        await asyncio.sleep(0)

    async def half(self) -> None:
        """Send half a body under the whole one's length."""
        body = self.answer.body
        await self.start((b"content-length", str(len(body)).encode()))
        await self.piece(body[: len(body) // 2])


async def break_off(kind: Kind, sending: Sending, stopping: asyncio.Event) -> None:
    """Do what `kind` does, until the answer ends, the client leaves or the sandbox stops."""
    breaking = asyncio.create_task(BREAKAGES[kind](sending))
    leaving = asyncio.create_task(_gone(sending.exchange))
    ending = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not leaving.done():
            sending.protocol.reset()
            await leaving
    finally:
        for task in (breaking, leaving, ending):
            task.cancel()
        await asyncio.gather(breaking, leaving, ending, return_exceptions=True)


async def _gone(exchange: Exchange) -> None:
    while (await exchange.receive())["type"] != "http.disconnect":
        pass


async def _close(sending: Sending) -> None:
    sending.protocol.close()


async def _reset(sending: Sending) -> None:
    sending.protocol.reset()


async def _reset_in_body(sending: Sending) -> None:
    await sending.half()
    await asyncio.sleep(_ON_ITS_WAY_SECONDS)
    sending.protocol.reset()


async def _cut(sending: Sending) -> None:
    await sending.half()
    sending.protocol.close()


async def _endless_body(sending: Sending) -> None:
    await sending.start()
    await sending.piece(sending.answer.body)
    while True:
        await sending.piece(_CHUNK)


async def _drip(sending: Sending) -> None:
    await sending.start()
    await sending.piece(sending.answer.body)
    while True:
        await sending.piece(b" ")
        await asyncio.sleep(_DRIP_SECONDS)


async def _huge_body(sending: Sending) -> None:
    await sending.start((b"content-length", str(_GIGABYTE).encode()))
    await sending.piece(sending.answer.body)
    left = _GIGABYTE - len(sending.answer.body)
    while left:
        piece = _CHUNK[:left]
        left -= len(piece)
        await sending.piece(piece, last=not left)


async def _gzip_bomb(sending: Sending) -> None:
    await sending.start((b"content-encoding", b"gzip"))
    await sending.piece(gzip.compress(sending.answer.body))
    for _ in range(_GIGABYTE // _MEGABYTE):
        await sending.piece(_megabyte_of_spaces())
    await sending.piece(b"", last=True)


@cache
def _megabyte_of_spaces() -> bytes:
    # A gzip member by itself: a decoder joins members, so that nothing is compressed in a hurry.
    return gzip.compress(b" " * _MEGABYTE)


async def _endless_headers(sending: Sending) -> None:
    await sending.protocol.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        await sending.protocol.write(b"x-padding: " + b"x" * 1000 + b"\r\n")


BREAKAGES: Mapping[Kind, Callable[[Sending], Coroutine[Any, Any, None]]] = {
    "close": _close,
    "cut": _cut,
    "drip": _drip,
    "endless_body": _endless_body,
    "endless_headers": _endless_headers,
    "gzip_bomb": _gzip_bomb,
    "huge_body": _huge_body,
    "reset": _reset,
    "reset_in_body": _reset_in_body,
    "stall": Sending.half,
}
"""How each kind goes."""

STATUSLESS: frozenset[Kind] = frozenset({"close", "reset"})
"""Kinds that are over before a status is sent."""
