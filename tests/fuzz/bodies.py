"""Bodies of calls, as a server may send them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from callkit import Failure, Fetched
from callkit.cache.store import final_rows
from callkit.fetch.connection import Response
from callkit.fetch.credentials import Credentials, Secret
from callkit.fetch.responses import judge, retry_after
from callkit.normaliser import table_to_frame, to_table
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from callkit.schema import ATTRIBUTES, SCHEMA, Kind
from callkit.sids import CallKey
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence

__all__ = ["WORDS", "Bodies", "check_row"]

_ACCOUNT = "AC" + "a" * 32
_CREDENTIALS = Credentials(_ACCOUNT, _ACCOUNT, Secret("5f" * 16))
_NOW = datetime(2025, 4, 1, tzinfo=UTC)
WORDS = [
    *(
        b"null",
        b"true",
        b"{}",
        b"[]",
        b'""',
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b":",
        b",",
        b"\\",
        b"\x00",
    ),
    *(
        b"\\u0000",
        b"\\ud800",
        b"\\uD83D\\uDE00",
        b"\xed\xa0\x80",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\xc3",
    ),
    *(b"0", b"-", b"+", b".", b"e", b"1e999", b"NaN", b"Infinity", b"-0", b"0x41", b"9" * 30),
    *(b"1" * 400, b"0.00000001", b"0.000000001", b"1_000", b" ", b"\n", b"\t", b"[" * 2000),
    *(b"+0000", b"-0000", b"GMT", b"EST", b"(", b")", b"31 Feb", b"29 Feb 2023", b"24:00:00"),
    *(b"0001", b"9999", b"99999999999", b"Thu, ", b" 23", b":60", b"-9999", b"+2460"),
    *(f'"{column.name}": '.encode() for column in ATTRIBUTES),
]
_PLAIN_DATE = "%a, %d %b %Y %H:%M:%S +0000"


class Bodies:
    """Bodies from the sandbox, damaged: judged, looked into by the cache, and typed."""

    at_once = 500

    def __init__(self) -> None:
        sandbox = Sandbox(calls=20_000, seed=11)
        self._sids = sandbox.sids(4_000)
        self._samples = [body_of(sandbox.call(sid)) for sid in self._sids]

    def make(self, rng: random.Random) -> tuple[str, bytes, bytes]:
        place = int(rng.random() * len(self._samples))
        header = damaged(rng, rng.choice((b"1", b"0.5", b"Fri, 31 Dec 2027 23:59:59 GMT")), WORDS)
        return self._sids[place], damaged(rng, self._samples[place], WORDS), header

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        outcomes = [self._judged(sid, body, header) for sid, body, header in inputs]
        # One batch may hold a call once only, so calls that repeat go into the next.
        left = {place: inputs[place] for place, said in enumerate(outcomes) if said == RESULT}
        while left:
            batch = {sid: (place, body) for place, (sid, body, _) in reversed(left.items())}
            for sid, said in _typed({sid: body for sid, (_, body) in batch.items()}).items():
                outcomes[batch[sid][0]] = said
                del left[batch[sid][0]]
        return outcomes

    def _judged(self, sid: str, body: bytes, header: bytes) -> str:
        wait = retry_after(header.decode("latin-1"), _NOW)
        assert wait is None or wait >= 0
        key = CallKey(sid, None)
        refused = judge(Response(404, {}, body), key, _ACCOUNT, 1, _CREDENTIALS).outcome
        assert isinstance(refused, Failure)
        outcome = judge(Response(200, {}, body), key, _ACCOUNT, 1, _CREDENTIALS).outcome
        if isinstance(outcome, Fetched):
            return RESULT
        assert isinstance(outcome, Failure)
        check_sentence(outcome.message)
        return f"Failure {outcome.reason}"


def _typed(bodies: Mapping[str, bytes]) -> dict[str, str]:
    """Type bodies of different calls, and see that each is a row that is right, or a failure."""
    table, failures = to_table(list(bodies.values()), list(bodies))
    table_to_frame(table)
    assert len(final_rows(table, [_NOW] * len(table))) == len(table)
    assert table.schema.equals(SCHEMA)
    said = {}
    for row in table.to_pylist():
        check_row(row, bodies[row["sid"]])
        said[row["sid"]] = RESULT
    for failure in failures:
        assert failure.sid is not None
        assert failure.sid not in said
        check_sentence(failure.message)
        said[failure.sid] = "Failure bad_response"
    assert said.keys() == bodies.keys()
    return said


def check_row(row: Mapping[str, Any], body: bytes) -> None:
    """Compare a row with what Python's own decoder finds in the body."""
    call = json.loads(body.decode("utf-8-sig"), parse_int=str, parse_float=str)
    for column in ATTRIBUTES:
        meant, got = call.get(column.name), row[column.name]
        if meant is None or meant == "":
            assert got is None, column.name
        elif column.kind is Kind.JSON:
            assert json.loads(got) == meant, column.name
        elif column.kind is Kind.MONEY:
            assert got == Decimal(meant), column.name
        elif column.kind is Kind.SECONDS:
            assert got == timedelta(seconds=int(meant)), column.name
        elif column.kind is Kind.MILLISECONDS:
            assert got == timedelta(milliseconds=int(meant)), column.name
        elif column.kind is Kind.INSTANT:
            check_date(got, meant)
        elif column.name in {"sid", "parent_call_sid"}:
            assert got.lower() == meant.lower(), column.name
        else:
            assert got == meant, column.name


def check_date(got: datetime, text: str) -> None:
    """Compare an instant with the text it came from, where that has the usual form."""
    try:
        meant = datetime.strptime(text, _PLAIN_DATE).replace(tzinfo=UTC)
    except ValueError:
        return  # another form of RFC 5322
    assert got == meant, text
