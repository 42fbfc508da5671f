from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import callkit
from callkit.normaliser import normalise
from callkit.schema import ATTRIBUTES, SCHEMA
from tests.normaliser.calls import (
    ACCOUNT,
    CALL,
    COLUMNS,
    NUMERIC,
    SID,
    VALUES,
    body,
    calls,
    numbered,
    rows,
    steady,
    texts,
)

SEPARATORS = [(",", ":"), (", ", ": "), (" ,\n", "\t:\r\n")]


@given(
    st.lists(calls(), min_size=1, max_size=6, unique_by=lambda call: call[1]["sid"]),
    st.sampled_from(SEPARATORS),
    st.booleans(),
    st.dictionaries(texts.filter(lambda name: name not in COLUMNS), st.none() | texts, max_size=2),
    st.randoms(use_true_random=False),
)
@steady
def test_any_call_comes_back_as_it_was_meant(
    drawn: list[tuple[dict[str, Any], dict[str, Any]]],
    separators: tuple[str, str],
    ascii_only: bool,
    extras: dict[str, str | None],
    chance: Any,
) -> None:
    bodies = []
    for attributes, _ in drawn:
        items = [*attributes.items(), *extras.items()]
        chance.shuffle(items)
        text = json.dumps(dict(items), ensure_ascii=ascii_only, separators=separators)
        bodies.append(text.encode())
    got = rows(normalise(bodies))
    meant = [row for _, row in drawn]
    for row, (attributes, _) in zip(meant, drawn, strict=True):
        row["parent_call_sid"] = attributes["parent_call_sid"] or None
    assert _parsed_uris(got) == _parsed_uris(meant)


def _parsed_uris(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        row | {"subresource_uris": row["subresource_uris"] and json.loads(row["subresource_uris"])}
        for row in rows
    ]


@pytest.mark.parametrize("name", COLUMNS)
def test_an_attribute_has_its_value(name: str) -> None:
    assert rows(normalise([body()]))[0][name] == VALUES[name]


@pytest.mark.parametrize("absent", [None, ""], ids=["null", "empty"])
@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "sid"])
def test_null_and_the_empty_text_are_absence(name: str, absent: str | None) -> None:
    assert rows(normalise([body(**{name: absent})])) == [VALUES | {name: None}]


@pytest.mark.parametrize("absent", [None, ""], ids=["null", "empty"])
def test_a_call_without_sid_is_broken(absent: str | None) -> None:
    with pytest.raises(callkit.errors.NormaliseError, match="body 1: sid: missing"):
        normalise([body(sid=absent)])


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "sid"])
def test_an_attribute_that_is_not_there_is_null(name: str) -> None:
    lacking = {key: value for key, value in CALL.items() if key != name}
    assert rows(normalise([json.dumps(lacking)])) == [VALUES | {name: None}]


@pytest.mark.parametrize("name", ["duration", "queue_time", "price"])
def test_zero_is_not_absence(name: str) -> None:
    assert not rows(normalise([body(**{name: "0"})]))[0][name]
    assert normalise([body(**{name: "0"})])[name].notna().all()


@pytest.mark.parametrize(
    "name", [column.name for column in ATTRIBUTES if column.kind not in NUMERIC]
)
@pytest.mark.parametrize("value", [5, 0, 1.5, True, ["x"]], ids=str)
def test_what_is_not_text_is_broken(name: str, value: object) -> None:
    with pytest.raises(callkit.errors.NormaliseError, match=f"{name}: ") as caught:
        normalise([body(**{name: value})])
    assert caught.value.failures["reason"].tolist() == ["bad_response"]


@pytest.mark.parametrize("name", [column.name for column in ATTRIBUTES if column.personal])
def test_personal_data_is_in_no_message(name: str) -> None:
    with pytest.raises(callkit.errors.NormaliseError) as caught:
        normalise([body(**{name: 14155550101})])
    assert "14155550101" not in caught.value.failures.to_csv()


def test_a_frame_has_the_schema_whatever_came() -> None:
    dtypes = normalise([]).dtypes.astype(str).to_dict()
    assert list(dtypes) == SCHEMA.names
    assert dtypes["status"] == dtypes["direction"] == dtypes["answered_by"] == "category"
    assert dtypes["start_time"] == dtypes["date_created"] == "datetime64[us, UTC]"
    assert dtypes["duration"] == dtypes["queue_time"] == "timedelta64[ms]"
    assert dtypes["price"] == "decimal128(18, 8)[pyarrow]"
    assert dtypes["sid"] == dtypes["subresource_uris"] == dtypes["from"] == "str"
    nothing = json.dumps({"sid": SID})
    assert normalise([nothing]).dtypes.equals(normalise([]).dtypes)
    assert normalise([body()]).dtypes.equals(normalise([]).dtypes)


def test_bytes_text_and_mappings_give_the_same_frame() -> None:
    sent = [body(sid=numbered(n), duration=str(n)) for n in range(5)]
    frame = normalise(sent)
    assert_frame_equal(normalise([text.decode() for text in sent]), frame)
    assert_frame_equal(normalise([json.loads(text) for text in sent]), frame)
    assert_frame_equal(normalise(bytearray(text) for text in sent), frame)
    assert_frame_equal(normalise(map(memoryview, sent)), frame)
    assert_frame_equal(normalise([b"\xef\xbb\xbf" + text for text in sent]), frame)
    assert_frame_equal(normalise(pd.Series(sent)), frame)


def test_the_others_are_kept_where_some_are_broken() -> None:
    sent = [body(sid=numbered(n), price="abc" if n == 3 else "1") for n in range(6)]
    with pytest.raises(callkit.errors.NormaliseError) as caught:
        normalise([b"{", *sent])
    assert_frame_equal(caught.value.frame, normalise([*sent[:3], *sent[4:]]))
    failures = caught.value.failures.set_index("message")
    assert failures["sid"].to_dict() == {
        "body 1: the body is not JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)": pytest.approx(float("nan"), nan_ok=True),
        "price: 'abc' is not a decimal number": numbered(3),
    }
    assert failures["account_sid"].dropna().tolist() == [ACCOUNT]
    assert "2 of 7 calls" in str(caught.value)
    assert "e.frame" in str(caught.value)


def test_warn_warns_once_and_returns_the_others() -> None:
    sent = [body(), b"", b"null"]
    with pytest.warns(callkit.errors.IncompleteWarning, match="2 of 3 calls") as caught:
        frame = normalise(sent, errors="warn")
    assert_frame_equal(frame, normalise([body()]))
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_another_errors_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid errors 'ignore': expected 'raise' or 'warn'"):
        normalise([], errors="ignore")  # type: ignore[arg-type]


@pytest.mark.parametrize("one", [body(), body().decode(), CALL], ids=["bytes", "str", "dict"])
def test_one_body_is_not_a_list_of_bodies(one: Any) -> None:
    with pytest.raises(TypeError, match="Expected an iterable of bodies"):
        normalise(one)


def test_a_long_list_is_as_a_short_one() -> None:
    ends = {n: str(n) if n != 7 else "long" for n in range(20_000)}
    sent = [json.dumps({"sid": numbered(n), "status": f"new {n % 3}"}) for n in ends]
    sent += [json.dumps({"sid": numbered(n), "duration": end}) for n, end in ends.items()]
    with pytest.raises(callkit.errors.NormaliseError) as caught:
        normalise(iter(sent))
    [message] = caught.value.failures["message"]
    assert message == "duration: 'long' is not a whole number of seconds"
    frame = caught.value.frame
    assert frame["sid"].tolist() == [numbered(n) for n in ends if n != 7]
    assert frame["duration"].dt.total_seconds().tolist() == [n for n in ends if n != 7]
    assert frame.dtypes.equals(normalise([]).dtypes), "the statuses of the first bodies are gone"
