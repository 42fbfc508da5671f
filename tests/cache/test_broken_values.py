"""Prices and bodies that break the contract, from the server or in the cache's own rows."""

from __future__ import annotations

import json
import sqlite3
import zlib
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

import callkit
from tests.support.scripted import ACCOUNT, Reply, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.calls import FetchResult
    from tests.support.scripted import ScriptedServer

BROKEN_PRICES = [
    *('"1E+50"', '"NaN"', '"Infinity"', '"-1e-9"', '"-0,01"', '" -0.01"', '"0x1"', '"\\u0661"'),
    *(f'"{"9" * 40}"', f'"0.{"1" * 40}"', "1e400", "true", "[]", "{}"),
]
each_broken_price = pytest.mark.parametrize("price", BROKEN_PRICES)


def body(price: str, number: int = 1, **attributes: object) -> bytes:
    """Write the record of a final call; `price` is JSON."""
    record = {
        "sid": sid(number),
        "account_sid": ACCOUNT,
        "status": "completed",
        "end_time": "Sat, 01 Mar 2025 12:31:00 +0000",
        **attributes,
    }
    return f'{json.dumps(record)[:-1]}, "price": {price}}}'.encode()


class Caching:
    """Fetches one call, again and again, with a cache."""

    def __init__(self, server: ScriptedServer, client: Client, path: Path) -> None:
        self.server, self._client, self.path = server, client, path

    def collect(self, answer: bytes | None = None, *, again: bool = False) -> FetchResult:
        self.server.script[sid(1)] = [] if answer is None else [Reply(body=answer)]
        refresh = "all" if again else None
        return callkit.collect([sid(1)], client=self._client, cache=self.path, refresh=refresh)  # type: ignore[arg-type]

    def put(self, column: str, value: object) -> None:
        with closing(sqlite3.connect(self.path)) as db, db:
            db.execute(f"UPDATE calls SET {column} = ?", [value])


@pytest.fixture
def caching(server: ScriptedServer, scripted_client: Client, tmp_path: Path) -> Caching:
    return Caching(server, scripted_client, tmp_path / "calls.sqlite")


def prices(got: FetchResult) -> list[Decimal]:
    return got.frame["price"].tolist()


def changes(got: FetchResult) -> list[tuple[Decimal, Decimal]]:
    return list(got.price_changes[["old", "new"]].itertuples(index=False, name=None))


@each_broken_price
def test_a_broken_price_is_a_bad_response_though_the_cache_has_another(
    caching: Caching, price: str
) -> None:
    caching.collect(body('"-0.01"'))
    got = caching.collect(body(price), again=True)
    assert got.failures["reason"].tolist() == ["bad_response"]
    assert changes(got) == []
    later = caching.collect(body('"-0.02"'), again=True)
    assert changes(later) == [(Decimal("-0.01"), Decimal("-0.02"))]


@each_broken_price
def test_a_call_with_a_broken_price_is_requested_again_once_and_then_kept(
    caching: Caching, price: str
) -> None:
    assert prices(caching.collect(body(price))) == []
    assert prices(caching.collect(body('"-0.01"'))) == [Decimal("-0.01")]
    assert prices(caching.collect()) == [Decimal("-0.01")]
    assert caching.server.asked[sid(1)] == 2


@pytest.mark.parametrize("price", ['"-0"', '"-0.0"', '"0"'])
def test_zero_with_a_sign_is_zero(caching: Caching, price: str) -> None:
    assert prices(caching.collect(body(price))) == [0]
    assert changes(caching.collect(body('"0.00"'), again=True)) == []


@pytest.mark.parametrize(
    "kept",
    [*("1E+50", "NaN", "sNaN", "Infinity", "", "x", " 1", "\u0661", "9" * 40), b"-0.01", 1e300],
)
def test_a_broken_price_in_the_cache_is_no_price_that_changed(
    caching: Caching, kept: object
) -> None:
    caching.collect(body('"-0.01"'))
    caching.put("price", kept)
    got = caching.collect(body('"-0.01"'), again=True)
    assert (prices(got), changes(got)) == ([Decimal("-0.01")], [])


@pytest.mark.parametrize(
    "kept",
    [
        body('"1E+50"'),
        body('"-0.01"', end_time="Mon, 31 Feb 2025 12:31:00 +0000"),
        body('"-0.01"', number=2),
        *(b"null", b"[]", b"{", b"", b"\xff"),
    ],
)
def test_a_broken_body_that_an_older_version_called_final_is_requested_again(
    caching: Caching, kept: bytes
) -> None:
    caching.collect(body('"-0.01"'))
    caching.put("body", zlib.compress(kept))
    assert prices(caching.collect(body('"-0.02"'))) == [Decimal("-0.02")]
    assert prices(caching.collect()) == [Decimal("-0.02")]
    assert caching.server.asked[sid(1)] == 2
