"""A synthetic call, typed, and its JSON body."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import msgspec

Value = str | int | datetime | Decimal | dict[str, str] | None

_encode = msgspec.json.Encoder().encode
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Which absent attributes a body shows as "" rather than null: live bodies mix the two.
_SHOWN_EMPTY = (
    frozenset[str](),
    frozenset({"caller_name", "trunk_sid"}),
    frozenset({"answered_by", "caller_name", "forwarded_from", "group_sid"})
    | {"parent_call_sid", "phone_number_sid", "trunk_sid"},
)


@dataclass(frozen=True, slots=True)
class Call:
    """A call: the 26 attributes of Twilio's reference, typed.

    Absent is ``None`` here, whichever of ``null`` and ``""`` the body shows. ``duration`` is in
    seconds, ``queue_time`` in milliseconds, ``price`` in ``price_unit``. The attribute ``from`` is
    called ``from_``.
    """

    account_sid: str
    answered_by: str | None
    api_version: str
    caller_name: str | None
    date_created: datetime
    date_updated: datetime
    direction: str
    duration: int | None
    end_time: datetime | None
    forwarded_from: str | None
    from_: str
    from_formatted: str
    group_sid: str | None
    parent_call_sid: str | None
    phone_number_sid: str | None
    price: Decimal | None
    price_unit: str
    queue_time: int
    sid: str
    start_time: datetime | None
    status: str
    subresource_uris: dict[str, str]
    to: str
    to_formatted: str
    trunk_sid: str | None
    uri: str

    def attributes(self) -> dict[str, Value]:
        """Give the attributes under the API's names, in the reference's order."""
        return {name.rstrip("_"): getattr(self, name) for name in self.__slots__}


def body_of(call: Call) -> bytes:
    """Write the body that the endpoint serves: a JSON object in which all but one value is text."""
    empty = _SHOWN_EMPTY[int(call.sid[-2:], 16) % len(_SHOWN_EMPTY)]
    body = {name: _written(name, value, empty) for name, value in call.attributes().items()}
    # The live API sends this attribute, which its reference does not list.
    body["annotation"] = None
    return _encode(body)


def _written(name: str, value: Value, empty: frozenset[str]) -> str | dict[str, str] | None:
    match value:
        case None:
            return "" if name in empty else None
        case datetime():
            return _date(value)
        case Decimal():
            return format(value, "f")
        case int():
            return str(value)
        case _:
            return value


def _date(value: datetime) -> str:
    # As email.utils.format_datetime, at a third of its time.
    weekday, month = _WEEKDAYS[value.weekday()], _MONTHS[value.month - 1]
    return f"{weekday}, {value.day:02d} {month} {value.year} {value:%H:%M:%S} +0000"
