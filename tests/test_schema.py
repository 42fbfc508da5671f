from __future__ import annotations

import pyarrow as pa
import pytest

from callkit.schema import ARROW_TYPES, ATTRIBUTES, SCHEMA, Column, Kind

# Those of Twilio's Fetch Call reference, the ones that matter on a screen first.
DOCUMENTED = [
    *("sid", "start_time", "duration", "status", "direction", "from", "to", "price", "price_unit"),
    *("end_time", "queue_time", "answered_by", "account_sid", "parent_call_sid"),
    *("date_created", "date_updated", "phone_number_sid", "trunk_sid", "group_sid"),
    *("uri", "subresource_uris", "from_formatted", "to_formatted", "caller_name"),
    *("forwarded_from", "api_version"),
]
VOCABULARIES = {
    "status": [
        *("queued", "ringing", "in-progress", "completed"),
        *("busy", "failed", "no-answer", "canceled"),
    ],
    "direction": ["inbound", "outbound-api", "outbound-dial"],
    "answered_by": ["human", "machine"],
}


def test_the_columns_are_the_documented_attributes_in_their_order() -> None:
    assert len(DOCUMENTED) == 26
    assert SCHEMA.names == DOCUMENTED


@pytest.mark.parametrize("name", VOCABULARIES)
def test_documented_values_are_listed_first_to_last(name: str) -> None:
    [column] = [column for column in ATTRIBUTES if column.name == name]
    assert [value for value in column.vocabulary if value in VOCABULARIES[name]] == (
        VOCABULARIES[name]
    )


@pytest.mark.parametrize("column", ATTRIBUTES, ids=lambda column: column.name)
def test_only_categories_have_a_vocabulary(column: Column) -> None:
    assert bool(column.vocabulary) is (column.kind is Kind.CATEGORY)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_type(kind: Kind) -> None:
    assert Column("x", kind, "X.").field.type == ARROW_TYPES[kind]


def test_a_field_says_what_its_column_means() -> None:
    column = Column("price", Kind.MONEY, "The charge.", "price_unit", personal=True)
    assert column.field.metadata == {
        b"description": b"The charge.",
        b"unit": b"price_unit",
        b"personal": b"true",
    }
    assert column.field.type == pa.decimal128(18, 8)


def test_who_called_whom_is_personal() -> None:
    personal = {column.name for column in ATTRIBUTES if column.personal}
    assert personal == {
        *("from", "from_formatted", "to", "to_formatted", "forwarded_from", "caller_name")
    }
