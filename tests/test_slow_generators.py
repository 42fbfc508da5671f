"""A generator of SIDs that is slow: calls are fetched as they are named, and Ctrl-C ends it."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, TypeAlias

import pytest

import callkit
from callkit.errors import FetchInterrupted, InvalidSidError
from tests.support.scripted import Handler, Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callkit import Client

Use: TypeAlias = "Callable[[Iterator[str], Client], list[str]]"


def fetched_many(sids: Iterator[str], client: Client) -> list[str]:
    return sorted(str(outcome.sid) for outcome in client.fetch_many(sids))


def framed(sids: Iterator[str], client: Client) -> list[str]:
    return sorted(callkit.to_frame(sids, client=client)["sid"])


@pytest.mark.parametrize("fetch", [fetched_many, framed])
def test_each_call_is_fetched_before_the_next_one_is_named(
    fetch: Use, server: ScriptedServer, scripted_client: Client
) -> None:
    def answer(handler: Handler) -> None:
        handler.answer(Reply())
        answered[handler.call_sid].set()

    def named() -> Iterator[str]:
        for each in sids:
            yield each
            assert answered[each].wait(30)

    sids = [sid(number) for number in range(5)]
    answered = {each: threading.Event() for each in sids}
    server.always = answer
    assert fetch(named(), scripted_client) == sids


def test_the_calls_before_an_invalid_entry_are_handed_over_first(scripted_client: Client) -> None:
    outcomes = scripted_client.fetch_many(iter([sid(1), sid(2), "nonsense"]))
    assert {next(outcomes).sid, next(outcomes).sid} == {sid(1), sid(2)}
    with pytest.raises(InvalidSidError, match="Entry 3"):
        next(outcomes)


def test_an_interrupt_ends_the_wait_for_the_next_sid(scripted_client: Client) -> None:
    def named() -> Iterator[str]:
        yield sid(1)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(60)

    with pytest.raises(FetchInterrupted, match="after 1 call had arrived") as caught:
        callkit.to_frame(named(), client=scripted_client)
    assert caught.value.frame["sid"].tolist() == [sid(1)]
