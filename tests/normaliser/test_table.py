from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callkit.normaliser import to_table
from callkit.schema import SCHEMA
from tests.normaliser.calls import ACCOUNT, CALL, SID, body, numbered, steady


@pytest.mark.parametrize("sent", [[], [body()], [b""]], ids=["none", "one", "broken"])
def test_a_table_has_the_schema_with_its_units_and_marks(sent: list[bytes]) -> None:
    table, _ = to_table(sent)
    assert table.schema.equals(SCHEMA, check_metadata=True)


def test_categories_are_the_vocabulary_and_then_what_nobody_listed() -> None:
    statuses = ["new", None, "busy", "newer", "new"]
    table, _ = to_table([body(sid=numbered(n), status=s) for n, s in enumerate(statuses)])
    [chunk] = table["status"].chunks
    assert chunk.dictionary.to_pylist() == [
        "queued", "ringing", "in-progress", "completed", "busy", "failed", "no-answer", "canceled",
        "new", "newer",
    ]  # fmt: skip
    assert table["status"].to_pylist() == statuses


def test_a_value_that_no_row_has_is_no_category() -> None:
    table, _ = to_table([body(status="new"), body(status="busy")])
    assert "new" not in table["status"].chunk(0).dictionary.to_pylist()


def test_the_last_body_of_a_call_counts_at_the_place_of_the_first() -> None:
    sent = [body(sid=numbered(n), to=to) for n, to in [(1, "a"), (2, "b"), (1, "c"), (3, "d")]]
    table, failures = to_table(sent)
    assert table["to"].to_pylist() == ["c", "b", "d"]
    assert failures == []


def test_a_broken_last_body_counts_as_well() -> None:
    table, failures = to_table([body(), body(price="x")])
    assert table.num_rows == 0
    assert [failure.sid for failure in failures] == [SID]
    table, failures = to_table([body(price="x"), body()])
    assert table.num_rows == 1
    assert failures == []


ends = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["1", "2", "bad"])), max_size=12)


@given(ends)
@steady
def test_each_call_ends_in_exactly_one_place(sent: list[tuple[int, str]]) -> None:
    table, failures = to_table([body(sid=numbered(n), duration=value) for n, value in sent])
    last = dict(sent)
    got = [int(value.total_seconds()) for value in table["duration"].to_pylist()]
    assert table["sid"].to_pylist() == [numbered(n) for n, end in last.items() if end != "bad"]
    assert got == [int(end) for end in last.values() if end != "bad"]
    assert [f.sid for f in failures] == [numbered(n) for n, end in last.items() if end == "bad"]


def test_sids_are_the_same_whatever_their_case() -> None:
    shouted = "CA" + SID[2:].upper()
    table, _ = to_table([body(to="a"), body(sid=shouted, to="b", parent_call_sid=shouted)])
    assert table["sid"].to_pylist() == [SID]
    assert table["parent_call_sid"].to_pylist() == [SID]
    assert table["to"].to_pylist() == ["b"]


@pytest.mark.parametrize(
    "sid", ["CA", SID[:-1], SID + "0", "AC" + SID[2:], "ca" + SID[2:], SID[:-1] + "g", SID + "\n"]
)
def test_a_sid_that_is_none_is_refused(sid: str) -> None:
    [failure] = to_table([body(sid=sid)])[1]
    assert failure.sid is None
    assert failure.message == (
        f"body 1: sid: {sid!r} is not a Call SID: expected 'CA' followed by 32 hexadecimal digits"
    )


def test_a_parent_that_is_no_call_sid_stays_as_it_came() -> None:
    table, _ = to_table([body(parent_call_sid="Parent")])
    assert table["parent_call_sid"].to_pylist() == ["Parent"]


def test_a_body_of_another_call_than_was_asked_for_is_broken() -> None:
    asked = [numbered(n) for n in range(4)]
    sent = [body(sid=asked[0]), body(sid=asked[2]), b"{", body(sid=asked[3])]
    table, failures = to_table(sent, asked)
    assert table["sid"].to_pylist() == [asked[0], asked[3]]
    assert [(failure.sid, failure.message.partition(":")[0]) for failure in failures] == [
        (asked[1], "sid"),
        (asked[2], "the body is not JSON"),
    ]
    assert asked[2] in failures[0].message


@pytest.mark.parametrize("account", [None, "", "AC", 5])
def test_a_failure_names_the_account_where_the_body_does(account: Any) -> None:
    assert to_table([body(price="x")])[1][0].account_sid == ACCOUNT
    assert to_table([body(account_sid=account, price="x")])[1][0].account_sid is None


def test_the_first_broken_column_is_named() -> None:
    [failure] = to_table([CALL | {"queue_time": "x", "duration": "y"}])[1]
    assert failure.message == "duration: 'y' is not a whole number of seconds"
    assert failure.sid == SID
