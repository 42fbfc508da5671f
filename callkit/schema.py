"""What every column means: its name, kind, unit, privacy and description.

:data:`ATTRIBUTES` are the attributes of a call in Twilio's Fetch Call reference, in the order of
the frame's columns: first what matters on a screen, then the rest. The decoder, the casts, the
Parquet fields and the documentation are all made from this list: a line adds an attribute.
"""

from dataclasses import dataclass
from enum import Enum

import pyarrow as pa

MONEY = pa.decimal128(18, 8)


class Kind(Enum):
    TEXT = "text"
    CATEGORY = "category"
    INSTANT = "instant"
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    MONEY = "money"
    DECIMAL = "decimal"
    JSON = "JSON text"
    COUNT = "count"
    RATIO = "ratio"


ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.CATEGORY: pa.dictionary(pa.int32(), pa.string()),
    Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    Kind.SECONDS: pa.duration("s"),
    Kind.MILLISECONDS: pa.duration("ms"),
    Kind.MONEY: MONEY,
    Kind.DECIMAL: MONEY,
    Kind.JSON: pa.string(),
    Kind.COUNT: pa.int64(),
    Kind.RATIO: pa.float64(),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: what it is called, what it holds and what that means."""

    name: str
    kind: Kind
    description: str
    unit: str | None = None
    personal: bool = False
    vocabulary: tuple[str, ...] = ()

    @property
    def field(self) -> pa.Field:
        """The column as an Arrow field that carries its unit, description and privacy mark."""
        metadata = {"description": self.description, "personal": str(self.personal).lower()}
        if self.unit is not None:
            metadata["unit"] = self.unit
        return pa.field(self.name, ARROW_TYPES[self.kind], metadata=metadata)


LIVE_STATUSES = ("queued", "ringing", "in-progress")
ENDED_STATUSES = ("completed", "busy", "failed", "no-answer", "canceled")


def _text(name: str, description: str) -> Column:
    return Column(name, Kind.TEXT, description)


def _party(name: str, description: str) -> Column:
    return Column(name, Kind.TEXT, description, personal=True)


def _category(name: str, description: str, *vocabulary: str) -> Column:
    return Column(name, Kind.CATEGORY, description, vocabulary=vocabulary)


ATTRIBUTES: tuple[Column, ...] = (
    _text("sid", "The call itself."),
    Column("start_time", Kind.INSTANT, "When the call started; null if it never did.", "UTC"),
    Column("duration", Kind.SECONDS, "How long the call lasted.", "s"),
    _category("status", "How far the call got.", *LIVE_STATUSES, *ENDED_STATUSES),
    _category(
        "direction",
        "Which way the call went, and what placed it.",
        *("inbound", "outbound-api", "outbound-dial"),
        *("trunking-originating", "trunking-terminating"),
    ),
    _party("from", "Who called: an E.164 number, a SIP address, or a client."),
    _party("to", "Who was called: an E.164 number, a SIP address, or a client."),
    Column(
        "price",
        Kind.MONEY,
        "The connectivity charge (negative) or credit (positive); null until it is known.",
        "price_unit",
    ),
    Column("price_unit", Kind.TEXT, "The currency of the price.", "ISO 4217"),
    Column("end_time", Kind.INSTANT, "When the call ended.", "UTC"),
    Column("queue_time", Kind.MILLISECONDS, "How long the call waited to be placed.", "ms"),
    _category(
        "answered_by",
        "Who answered, if answering-machine detection was requested.",
        *("human", "machine", "machine_start", "machine_end_beep", "machine_end_silence"),
        *("machine_end_other", "fax", "unknown"),
    ),
    _text("account_sid", "The account that created the call."),
    _text("parent_call_sid", "The call that created this leg."),
    Column("date_created", Kind.INSTANT, "When the record was created.", "UTC"),
    Column("date_updated", Kind.INSTANT, "When the record last changed.", "UTC"),
    _text("phone_number_sid", "The account's own number: the one called, or the caller ID shown."),
    _text("trunk_sid", "The SIP trunk that carried the call."),
    _text("group_sid", "The group that the call belongs to."),
    _text("uri", "Where the record is, relative to the API's host."),
    Column("subresource_uris", Kind.JSON, "Where related records are, as a JSON object."),
    _party("from_formatted", "Who called, written for display."),
    _party("to_formatted", "Who was called, written for display."),
    _party(
        "caller_name", "The caller's name, for incoming calls to a number with caller-ID look-up."
    ),
    _party(
        "forwarded_from", "The number that forwarded an incoming call, if the carrier reports it."
    ),
    _text("api_version", "The API version that created the call."),
)

SCHEMA: pa.Schema = pa.schema([column.field for column in ATTRIBUTES])
