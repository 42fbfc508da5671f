"""The calls of the fixtures: what the API sent, and what it means. Written by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

ACCOUNT = "AC" + "a" * 32
OTHER_ACCOUNT = "AC" + "b" * 32
NOT_THERE = "CA" + "f" * 32  # the API answered 404
FETCHED_AT = datetime(2024, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)

SENT: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "annotation": None,
    "answered_by": None,
    "api_version": "2010-04-01",
    "caller_name": "",
    "date_created": "Tue, 14 Nov 2023 10:00:00 +0000",
    "date_updated": "Tue, 14 Nov 2023 10:01:07 +0000",
    "direction": "outbound-api",
    "duration": "65",
    "end_time": "Tue, 14 Nov 2023 10:01:06 +0000",
    "forwarded_from": None,
    "from": "+14155550101",
    "from_formatted": "(415) 555-0101",
    "group_sid": None,
    "parent_call_sid": None,
    "phone_number_sid": "PN" + "1" * 32,
    "price": "-0.03000",
    "price_unit": "USD",
    "queue_time": "0",
    "start_time": "Tue, 14 Nov 2023 10:00:01 +0000",
    "status": "completed",
    "subresource_uris": {"recordings": "/recordings.json", "events": None},
    "to": "+14155550102",
    "to_formatted": "(415) 555-0102",
    "trunk_sid": "",
}
MEANT: dict[str, Any] = {
    "account_sid": ACCOUNT,
    "answered_by": None,
    "api_version": "2010-04-01",
    "caller_name": None,
    "date_created": datetime(2023, 11, 14, 10, 0, 0, tzinfo=UTC),
    "date_updated": datetime(2023, 11, 14, 10, 1, 7, tzinfo=UTC),
    "direction": "outbound-api",
    "duration": timedelta(seconds=65),
    "end_time": datetime(2023, 11, 14, 10, 1, 6, tzinfo=UTC),
    "forwarded_from": None,
    "from": "+14155550101",
    "from_formatted": "(415) 555-0101",
    "group_sid": None,
    "parent_call_sid": None,
    "phone_number_sid": "PN" + "1" * 32,
    "price": Decimal("-0.03"),
    "price_unit": "USD",
    "queue_time": timedelta(0),
    "start_time": datetime(2023, 11, 14, 10, 0, 1, tzinfo=UTC),
    "status": "completed",
    "subresource_uris": '{"recordings":"/recordings.json","events":null}',
    "to": "+14155550102",
    "to_formatted": "(415) 555-0102",
    "trunk_sid": None,
}


class Call(NamedTuple):
    """One call of the fixtures: its record as text and as values, and how it was fetched."""

    sid: str
    sent: dict[str, Any]
    meant: dict[str, Any]
    request_id: str | None
    fetched_at: datetime

    @property
    def body(self) -> bytes:
        """The body, as the API sent it."""
        return json.dumps(self.sent, ensure_ascii=False).encode()


def call(
    number: int,
    sent: dict[str, Any],
    meant: dict[str, Any],
    *,
    request_id: str | None = "RQ" + "c" * 32,
    fetched_at: datetime = FETCHED_AT,
) -> Call:
    """Make a call that differs from `SENT` and `MEANT`."""
    sid = f"CA{number:032x}"
    account = sent.get("account_sid", ACCOUNT)
    own = {"sid": sid, "uri": f"/2010-04-01/Accounts/{account}/Calls/{sid}.json"}
    return Call(sid, {**SENT, **own, **sent}, {**MEANT, **own, **meant}, request_id, fetched_at)


def _utc(*fields: int) -> datetime:
    return datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type,misc]


FINAL = [
    call(1, {}, {}),
    call(
        2,
        {"price": "0.00500", "price_unit": "EUR"},
        {"price": Decimal("0.005"), "price_unit": "EUR"},
    ),
    call(3, {"price": "0"}, {"price": Decimal(0)}, request_id=None),
    call(4, {"price": "-0.00000001"}, {"price": Decimal("-0.00000001")}),
    call(  # busy, fetched more than a day after its end: it will not be priced
        5,
        {"status": "busy", "price": None, "duration": "0", "queue_time": "6000"},
        {
            "status": "busy",
            "price": None,
            "duration": timedelta(0),
            "queue_time": timedelta(seconds=6),
        },
    ),
    call(  # cancelled before it started
        6,
        {
            "status": "canceled",
            "price": None,
            "duration": "",
            "start_time": "",
            "end_time": None,
            "queue_time": None,
        },
        {
            "status": "canceled",
            "price": None,
            "duration": None,
            "start_time": None,
            "end_time": None,
            "queue_time": None,
        },
    ),
    call(  # unpriced for more than thirty days after its end: it will not be priced
        7,
        {"price": "", "direction": "inbound", "answered_by": "machine_start"},
        {"price": None, "direction": "inbound", "answered_by": "machine_start"},
    ),
    call(  # December in UTC, by an offset and by GMT
        8,
        {
            "start_time": "Thu, 30 Nov 2023 23:30:00 -0100",
            "end_time": "Fri, 01 Dec 2023 00:31:05 GMT",
        },
        {"start_time": _utc(2023, 12, 1, 0, 30), "end_time": _utc(2023, 12, 1, 0, 31, 5)},
    ),
    call(
        9,
        {"account_sid": OTHER_ACCOUNT, "parent_call_sid": "CA" + "e" * 32, "price": "-1.5"},
        {
            "account_sid": OTHER_ACCOUNT,
            "parent_call_sid": "CA" + "e" * 32,
            "price": Decimal("-1.5"),
        },
    ),
    call(
        10,
        {
            "caller_name": "Zoë ☎",
            "from": "sip:zoë@example.com",
            "to": "client:agent_7",
            "forwarded_from": "+498912345678",
            "group_sid": "GP" + "2" * 32,
            "trunk_sid": "TK" + "3" * 32,
        },
        {
            "caller_name": "Zoë ☎",
            "from": "sip:zoë@example.com",
            "to": "client:agent_7",
            "forwarded_from": "+498912345678",
            "group_sid": "GP" + "2" * 32,
            "trunk_sid": "TK" + "3" * 32,
        },
        fetched_at=FETCHED_AT + timedelta(days=1),
    ),
    call(  # values that the vocabularies do not list
        11,
        {"direction": "outbound-pigeon", "answered_by": "parrot"},
        {"direction": "outbound-pigeon", "answered_by": "parrot"},
        fetched_at=FETCHED_AT - timedelta(days=30),
    ),
    call(
        12,
        {
            "start_time": "Wed, 31 Jan 2024 23:59:59 +0000",
            "end_time": "Thu, 01 Feb 2024 23:59:58 +0000",
            "duration": "86399",
            "price": "-12.34567891",
            "subresource_uris": {},
        },
        {
            "start_time": _utc(2024, 1, 31, 23, 59, 59),
            "end_time": _utc(2024, 2, 1, 23, 59, 58),
            "duration": timedelta(seconds=86_399),
            "price": Decimal("-12.34567891"),
            "subresource_uris": "{}",
        },
    ),
]
NOT_FINAL = [
    call(
        21,
        {"status": "in-progress", "price": None, "duration": None, "end_time": None},
        {"status": "in-progress", "price": None, "duration": None, "end_time": None},
        fetched_at=_utc(2023, 11, 14, 10, 0, 30),
    ),
    call(  # fetched an hour after its end, before it was priced
        22, {"price": None}, {"price": None}, fetched_at=_utc(2023, 11, 14, 11)
    ),
    call(  # a status that callkit does not know may change yet
        23, {"status": "on-hold"}, {"status": "on-hold"}
    ),
]
BROKEN = call(31, {"price": "3 cents"}, {})  # stored as final, though it cannot be read
CALLS = [*FINAL, *NOT_FINAL]
