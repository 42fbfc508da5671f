"""Servers that fail at first: per call, per connection or per account. Whole runs succeed."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from callkit import Fetched
from tests.support.scripted import QUICK_RETRIES, Reply, ScriptedServer, reset, sid

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from tests.support.scripted import Act, Handler

UNAVAILABLE, BUSY = Reply(503, b""), Reply(429, b"{}")


def of_call(handler: Handler) -> Hashable:
    return handler.call_sid


def of_connection(handler: Handler) -> Hashable:
    return handler.client_address


def of_account(handler: Handler) -> Hashable:
    return handler.path.split("/")[3]


def fails_first(server: ScriptedServer, each: Callable[[Handler], Hashable], *acts: Act) -> None:
    """Have the server do these for each call, say, and then answer."""
    met: Counter[Hashable] = Counter()

    def act(handler: Handler) -> None:
        nth, met[each(handler)] = met[each(handler)], met[each(handler)] + 1
        does = acts[nth] if nth < len(acts) else Reply()
        if isinstance(does, Reply):
            handler.answer(does)
        else:
            does(handler)

    server.always = act


@pytest.mark.parametrize("concurrency", [1, 25])
@pytest.mark.parametrize("calls", [3, 60])
@pytest.mark.parametrize(
    ("each", "acts"),
    [
        (of_call, [UNAVAILABLE]),
        (of_call, [UNAVAILABLE] * 4),
        (of_call, [UNAVAILABLE, BUSY, UNAVAILABLE]),
        (of_call, [reset]),
        (of_connection, [UNAVAILABLE] * 2),
        (of_account, [UNAVAILABLE] * 3),
        (of_account, [BUSY, UNAVAILABLE, BUSY]),
    ],
)
def test_a_server_that_fails_at_first_has_every_call(
    server: ScriptedServer,
    each: Callable[[Handler], Hashable],
    acts: list[Act],
    calls: int,
    concurrency: int,
) -> None:
    fails_first(server, each, *acts)
    accounts = ["AC" + "b" * 32 if number % 2 else None for number in range(calls)]
    listed = pd.DataFrame({"sid": list(map(sid, range(calls))), "account_sid": accounts})
    with server.client(concurrency=concurrency, retry_policy=QUICK_RETRIES) as client:
        outcomes = list(client.fetch_many(listed))
    assert [type(outcome) for outcome in outcomes] == [Fetched] * calls
