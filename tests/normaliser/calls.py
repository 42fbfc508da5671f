"""Calls for these tests: one to alter, and any that the schema allows."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st

from callkit.normaliser import to_table
from callkit.schema import ATTRIBUTES, Column, Kind

if TYPE_CHECKING:
    import pandas as pd
    from hypothesis.strategies import DrawFn, SearchStrategy

steady = settings(derandomize=True, deadline=None, database=None, max_examples=100)

SID = "CA0123456789abcdef0123456789abcdef"
ACCOUNT = "AC0123456789abcdef0123456789abcdef"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
COLUMNS = {column.name: column for column in ATTRIBUTES}
NUMERIC = {Kind.SECONDS, Kind.MILLISECONDS, Kind.MONEY}

CALL: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "answered_by": "machine_start",
    "api_version": "2010-04-01",
    "caller_name": "Zoë",
    "date_created": "Tue, 14 Nov 2023 10:00:00 +0000",
    "date_updated": "Tue, 14 Nov 2023 10:01:07 +0000",
    "direction": "outbound-dial",
    "duration": "65",
    "end_time": "Tue, 14 Nov 2023 10:01:06 +0000",
    "forwarded_from": "+14155550100",
    "from": "+14155550101",
    "from_formatted": "(415) 555-0101",
    "group_sid": "GP0123456789abcdef0123456789abcdef",
    "parent_call_sid": "CA" + "f" * 32,
    "phone_number_sid": "PN0123456789abcdef0123456789abcdef",
    "price": "-0.03000",
    "price_unit": "USD",
    "queue_time": "6000",
    "sid": SID,
    "start_time": "Tue, 14 Nov 2023 10:00:01 +0000",
    "status": "completed",
    "subresource_uris": {"recordings": "/recordings.json", "events": None},
    "to": "sip:zoe@example.com",
    "to_formatted": "sip:zoe@example.com",
    "trunk_sid": "TK0123456789abcdef0123456789abcdef",
    "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Calls/{SID}.json",
}

VALUES: dict[str, Any] = {
    **CALL,
    "date_created": datetime(2023, 11, 14, 10, 0, 0, tzinfo=UTC),
    "date_updated": datetime(2023, 11, 14, 10, 1, 7, tzinfo=UTC),
    "duration": timedelta(seconds=65),
    "end_time": datetime(2023, 11, 14, 10, 1, 6, tzinfo=UTC),
    "price": Decimal("-0.03"),
    "queue_time": timedelta(seconds=6),
    "start_time": datetime(2023, 11, 14, 10, 0, 1, tzinfo=UTC),
    "subresource_uris": '{"recordings":"/recordings.json","events":null}',
}


def numbered(number: int) -> str:
    """Give a SID by its number."""
    return f"CA{number:032x}"


def body(**attributes: Any) -> bytes:
    """Make the body of a call that differs from :data:`CALL` in `attributes`."""
    return json.dumps(CALL | attributes, ensure_ascii=False).encode()


def read(name: str, text: str) -> Any:
    """Read one value as `normalise` does, alone and among others; None if it is refused."""
    [alone] = _column(name, [text])
    assert _column(name, [text] + [CALL[name]] * 20) == [alone] + [VALUES[name]] * 20
    return alone


def _column(name: str, texts: list[str]) -> list[Any]:
    sids = [numbered(number) for number in range(len(texts))]
    sent = [body(**{"sid": sid, name: text}) for sid, text in zip(sids, texts, strict=True)]
    table, failures = to_table(sent, sids)
    typed = dict(zip(table["sid"].to_pylist(), table[name].to_pylist(), strict=True))
    assert not typed.keys() & {failure.sid for failure in failures}
    assert len(typed) + len(failures) == len(texts)
    return [typed.get(sid) for sid in sids]


def rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Give the rows of a frame, None where it has a null of whatever kind."""
    plain = frame.astype(object)
    return plain.where(plain.notna(), None).to_dict("records")  # type: ignore[return-value]


def written(instant: datetime) -> str:
    """Write an instant as Twilio does, whatever the locale."""
    return (
        f"{DAYS[instant.weekday()]}, {instant.day:02} {MONTHS[instant.month - 1]} "
        f"{instant.year:04} {instant:%H:%M:%S} +0000"
    )


texts: SearchStrategy[str] = st.text(
    st.one_of(st.characters(codec="utf-8"), st.sampled_from('\\":, {}\n\u2028é')), max_size=12
)
wall_clocks = st.datetimes(
    datetime.fromisoformat("1900-01-01"), datetime.fromisoformat("9999-12-31 23:59:59")
).map(lambda local: local.replace(microsecond=0))
instants = wall_clocks.map(lambda local: local.replace(tzinfo=UTC))


@st.composite
def calls(draw: DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """Any call that the schema allows: its attributes as the API sends them, and its row."""
    pairs = {name: draw(_value(column)) for name, column in COLUMNS.items()}
    digits = draw(st.integers(0, 2**128 - 1))
    pairs["sid"] = draw(st.sampled_from([f"CA{digits:032x}", f"CA{digits:032X}"])), numbered(digits)
    attributes = {name: sent for name, (sent, _) in pairs.items()}
    return attributes, {name: meant for name, (_, meant) in pairs.items()}


def _value(column: Column) -> SearchStrategy[tuple[Any, Any]]:
    absent = st.sampled_from([(None, None), ("", None)])
    listed = [(value, value) for value in column.vocabulary]
    return st.one_of(absent, _PRESENT[column.kind], *([st.sampled_from(listed)] if listed else []))


def _price(units: int, decimals: int) -> tuple[str, Decimal]:
    """Write a price of so many units of the last of so many decimals."""
    price = Decimal(units) / 10**decimals
    return f"{price:.{decimals}f}", price


def _uris(uris: dict[str, str | None]) -> tuple[Any, str]:
    return uris, json.dumps(uris, ensure_ascii=False, separators=(",", ":"))


_present_texts = texts.filter(bool).map(lambda text: (text, text))
_PRESENT: dict[Kind, SearchStrategy[tuple[Any, Any]]] = {
    Kind.TEXT: _present_texts,
    Kind.CATEGORY: _present_texts,
    Kind.INSTANT: instants.map(lambda instant: (written(instant), instant)),
    Kind.SECONDS: st.integers(0, 10**9 - 1).map(lambda n: (str(n), timedelta(seconds=n))),
    Kind.MILLISECONDS: st.integers(0, 10**12 - 1).map(
        lambda n: (str(n), timedelta(milliseconds=n))
    ),
    Kind.MONEY: st.builds(_price, st.integers(-(10**10) + 1, 10**10 - 1), st.integers(0, 8)),
    Kind.JSON: st.dictionaries(texts, st.none() | texts, max_size=4).map(_uris),
}
