"""Whatever arrives: a named failure for each broken body, the exact row for each good one."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callkit.normaliser import table_to_frame, to_table
from callkit.normaliser.dates import one_instant
from callkit.schema import Kind
from tests.normaliser.calls import (
    CALL,
    COLUMNS,
    NUMERIC,
    SID,
    VALUES,
    body,
    numbered,
    rows,
    steady,
    texts,
)

BOM = b"\xef\xbb\xbf"
WHOLE = body(sid=numbered(1), annotation=None)


class UnacceptableError(Exception):
    pass


class Digits(str):
    __slots__ = ()


def row_meant_by(sent: bytes) -> dict[str, Any] | None:
    """Judge a body by Python's own JSON reader: the row it must become, or None if it is broken."""
    try:
        attributes = json.loads(
            sent.decode("utf-8").removeprefix("\ufeff"),
            parse_int=Digits,
            parse_float=Digits,
            parse_constant=_unacceptable,
        )
        if not isinstance(attributes, dict):
            return None
        row = {name: _meant(name, attributes.get(name)) for name in COLUMNS}
    except (UnacceptableError, ValueError, RecursionError):
        return None
    return row if row["sid"] else None


def _unacceptable(_: object) -> None:
    raise UnacceptableError


def _meant(name: str, value: Any) -> Any:
    kind = COLUMNS[name].kind
    if value is None or (value == "" and isinstance(value, str)):
        return None
    if kind is Kind.JSON:
        return _meant_uris(value)
    if not isinstance(value, str) or (isinstance(value, Digits) and kind not in NUMERIC):
        raise UnacceptableError
    value.encode()
    if name == "sid" and not re.fullmatch("CA[0-9a-fA-F]{32}", value):
        raise UnacceptableError
    if name in {"sid", "parent_call_sid"} and re.fullmatch("CA[0-9a-fA-F]{32}", value):
        return "CA" + value[2:].lower()
    return _READ.get(kind, str)(value)


def _meant_uris(value: Any) -> str:
    if not isinstance(value, dict):
        raise UnacceptableError
    for part in [*value, *value.values()]:
        if part is not None and (not isinstance(part, str) or isinstance(part, Digits)):
            raise UnacceptableError
        (part or "").encode()
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _whole(digits: int, unit: timedelta) -> Any:
    def read(text: str) -> timedelta:
        if not re.fullmatch(f"[0-9]{{1,{digits}}}", text):
            raise UnacceptableError
        return int(text) * unit

    return read


def _price(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]+)?|\.[0-9]+)", text):
        raise UnacceptableError
    price = Decimal(text)
    if abs(price) >= 10**10 or (price * 10**8) % 1:
        raise UnacceptableError
    return price


_READ: dict[Kind, Any] = {
    Kind.SECONDS: _whole(9, timedelta(seconds=1)),
    Kind.MILLISECONDS: _whole(12, timedelta(milliseconds=1)),
    Kind.MONEY: _price,
    Kind.INSTANT: one_instant,  # has an oracle of its own, in test_dates.py
}


def outcome_of(sent: list[bytes]) -> tuple[list[dict[str, Any]], list[str | None]]:
    table, failures = to_table(sent)
    assert {failure.reason for failure in failures} <= {"bad_response"}
    assert all(failure.message for failure in failures)
    return _with_plain_uris(table.to_pylist()), [failure.sid for failure in failures]


def _with_plain_uris(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Compare URIs by what the JSON says, since an escape may be written in two ways."""
    for row in rows:
        uris = row["subresource_uris"]
        row["subresource_uris"] = uris and list(json.loads(uris).items())
    return rows


def assert_each_is_right(sent: list[bytes]) -> None:
    """Check each body alone against the oracle, then that none touches the others."""
    ends: dict[object, dict[str, Any] | None] = {}
    for place, one in enumerate(sent):
        meant = row_meant_by(one)
        got, failed = outcome_of([one])
        if meant is None:
            assert got == []
            assert len(failed) == 1
            ends[failed[0] or place] = None
        else:
            assert got == _with_plain_uris([meant])
            assert failed == []
            ends[meant["sid"]] = got[0]
    got, failed = outcome_of(sent)
    assert got == [row for row in ends.values() if row is not None]
    assert failed == [
        key if isinstance(key, str) else None for key, row in ends.items() if row is None
    ]


numbers = st.one_of(st.integers(), st.floats(), st.integers(10**300, 10**301))
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts, st.text(st.characters(), max_size=3)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
altered_calls = st.builds(
    lambda sid, changes, spaced, escaped: json.dumps(
        CALL | {"sid": numbered(sid)} | changes,
        separators=(" , ", " : ") if spaced else None,
        ensure_ascii=escaped,
    ).encode(errors="surrogatepass"),
    st.integers(0, 3),
    st.dictionaries(st.sampled_from([*COLUMNS, "annotation"]) | texts, anything, max_size=3),
    st.booleans(),
    st.booleans(),
)
NUMERALS = [
    "0x41", "-1", " 42", "٤٢", "1e3", "4.0", "007", "-0.00", "+0.5", "-.017", "1.000000000000",
    "0.123456789", "99999999999", "NaN", "Infinity", "1_000", "5.", "-", "9" * 5000,
]  # fmt: skip
odd_numerals = st.builds(
    lambda name, numeral: body(**{name: numeral}),
    st.sampled_from(["duration", "queue_time", "price"]),
    st.sampled_from(NUMERALS),
)
odd_literals = st.builds(
    lambda name, literal: body(**{name: "HERE"}).replace(b'"HERE"', literal),
    st.sampled_from(["duration", "queue_time", "price", "to", "subresource_uris", "more"]),
    st.sampled_from(
        [b"0.1", b"1e3", b"-0", b"12345678901234567890", b"NaN", b"-Infinity", b"true", b"01",
         b"1.10000000000000000001", b"9" * 5000, b"[1", b'"\\ud800"', b'"\xff"', b'"\x01"', b""]
    ),
)  # fmt: skip


@st.composite
def spliced(draw: st.DrawFn) -> bytes:
    """The beginning of one good body and the end of another."""
    one, other = (body(sid=numbered(n), price=f"-{n}.5", more="x: y") for n in (1, 2))
    cut, join = (draw(st.integers(0, len(text))) for text in (one, other))
    return one[:cut] + other[join:]


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """A good body with a few bytes of it replaced, by some that mean something in JSON or not."""
    text = bytearray(WHOLE)
    for _ in range(draw(st.integers(1, 3))):
        begin = draw(st.integers(0, len(text)))
        end = draw(st.integers(begin, min(begin + 3, len(text))))
        text[begin:end] = draw(
            st.sampled_from([b'"', b"\\", b":", b",", b" ", b"{", b"}", b"null", b'"price":"-9"'])
            | st.binary(max_size=2)
        )
    return bytes(text)


@st.composite
def with_a_repeated_key(draw: st.DrawFn) -> bytes:
    """A call that has a key twice, however it is written."""
    name = draw(st.sampled_from(["price", "sid", "to", "annotation", "subresource_uris"]))
    again = draw(st.sampled_from([f'"{name}"', f'"{name}" ', f'"\\u{ord(name[0]):04x}{name[1:]}"']))
    value = draw(st.sampled_from(["null", '"1"', '":"', '"a \\": b"', "{}"]))
    text = body(sid=numbered(5), annotation=None).decode()
    return (
        text[:-1] + f", {again}:{value}}}"
        if draw(st.booleans())
        else f"{{{again}:{value},{text[1:]}"
    ).encode()


anything_sent = st.one_of(
    st.binary(max_size=40),
    anything.map(lambda value: json.dumps(value).encode()),
    altered_calls,
    odd_numerals,
    odd_literals,
    spliced(),
    edited(),
    with_a_repeated_key(),
)


@given(st.lists(anything_sent, max_size=6))
@steady
def test_each_body_is_right_or_refused_and_touches_no_other(sent: list[bytes]) -> None:
    assert_each_is_right(sent)


@given(spliced())
@steady
def test_two_bodies_spliced_make_no_third(sent: bytes) -> None:
    assert_each_is_right([body(sid=numbered(1)), sent, body(sid=numbered(2))])


@given(edited())
@steady
def test_a_body_edited_at_random_is_read_as_json_says(sent: bytes) -> None:
    assert_each_is_right([body(sid=numbered(7), annotation=None), sent])


@given(anything_sent)
@steady
def test_both_readers_agree(sent: bytes) -> None:
    assume(not sent.startswith(BOM))
    assert outcome_of([sent]) == outcome_of([BOM + sent]), "msgspec knows no byte order mark"


def test_lifelike_bodies_need_no_second_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(json, "loads")
    lacking = json.dumps({"sid": SID}).encode()
    table, _ = to_table([body(sid=numbered(0), annotation=None), body(sid=numbered(1)), lacking])
    assert table.num_rows == 3


@pytest.mark.parametrize("again", [b'"price": "-9"', b'"price" : "-9"', b'"pri\\u0063e":"-9"'])
@pytest.mark.parametrize("begin", [b"", BOM])
def test_of_equal_keys_the_last_counts(again: bytes, begin: bytes) -> None:
    first, last = b"{" + again + b", " + body()[1:], body()[:-1] + b", " + again + b"}"
    assert to_table([begin + first])[0]["price"].to_pylist() == [Decimal("-0.03")]
    assert to_table([begin + last])[0]["price"].to_pylist() == [Decimal(-9)]


@pytest.mark.parametrize("begin", [b"", BOM])
def test_of_equal_keys_deeper_inside_the_last_counts_too(begin: bytes) -> None:
    sent = b'{"more": [{"b": 1, "b": 2}], ' + body()[1:]
    repeated = sent.replace(b'"events": null', b'"recordings": null')
    table, _ = to_table([begin + repeated])
    assert table["subresource_uris"].to_pylist() == ['{"recordings":null}']


def test_a_broken_value_that_a_later_one_replaces_does_not_count() -> None:
    table, _ = to_table([b'{"sid": 5, "to": "\\ud83d", "price": 0.1e9, ' + body()[1:]])
    assert rows(table_to_frame(table)) == [VALUES]


@pytest.mark.parametrize("bad", [b"\xff", b"\xed\xa0\x80"], ids=repr)
def test_an_attribute_that_is_passed_over_is_still_utf_8(bad: bytes) -> None:
    [failure] = to_table([body(more="HERE").replace(b"HERE", bad)])[1]
    assert "the body is not UTF-8 text" in failure.message


@pytest.mark.parametrize("half", ["\ud83d", "a\ud83d\ud83d", "\udc00\ud83d"], ids=ascii)
@pytest.mark.parametrize("name", ["to", "status", "price", "start_time", "sid", "uri"])
def test_half_a_surrogate_pair_is_no_text(name: str, half: str) -> None:
    escaped = json.dumps(CALL | {name: half})
    raw = json.dumps(CALL | {name: half}, ensure_ascii=False)
    for sent in (escaped.encode(), escaped, raw, CALL | {name: half}):
        [failure] = to_table([sent])[1]
        assert failure.message.removeprefix("body 1: ").startswith(f"{name}: ")
        assert "half a surrogate pair" in failure.message


@pytest.mark.parametrize("uris", [{"\ud83d": "x"}, {"x": "\udc00"}], ids=["key", "value"])
def test_half_a_surrogate_pair_is_no_uri(uris: dict[str, str]) -> None:
    [failure] = to_table([json.dumps(CALL | {"subresource_uris": uris})])[1]
    assert failure.message.startswith("subresource_uris: ")


@pytest.mark.parametrize("extra", [{"a": {"b": 1}}, {"a": [{"price": "9"}]}, {"a": 1.5, "b": None}])
def test_attributes_beyond_the_schema_are_passed_over(extra: dict[str, Any]) -> None:
    table, failures = to_table([body(**extra)] * 3)
    assert rows(table_to_frame(table)) == [VALUES]
    assert failures == []


@pytest.mark.parametrize("bracket", [b"[", b'{"a":', b'{"sid":[', b'[{"a":'], ids=repr)
def test_deep_nesting_is_refused(bracket: bytes) -> None:
    deep = bracket * 100_000
    [failure] = to_table([deep])[1]
    assert "nested too deeply" in failure.message
    table, failures = to_table([body(), body(sid=numbered(1))[:-1] + b', "x": ' + deep, deep])
    assert table.num_rows == 1
    assert len(failures) == 2


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", "the body is empty"),
        (b"null", "the body is null, not a JSON object"),
        (b"[]", "the body is a list, not a JSON object"),
        (b"5", "the body is a number, not a JSON object"),
        (b"<html>", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff", "the body is not UTF-8 text: invalid start byte"),
        (b"{}", "sid: missing, so the call cannot be identified"),
        (5, "expected a body as bytes, text or a mapping, not int"),
        (None, "expected a body as bytes, text or a mapping, not NoneType"),
    ],
)
def test_a_body_that_says_not_whose_it_is_is_named_by_its_place(sent: Any, message: str) -> None:
    _, failures = to_table([body(), sent])
    assert [(failure.sid, failure.message) for failure in failures] == [
        (None, f"body 2: {message}")
    ]


def test_a_float_in_a_mapping_is_refused_with_advice() -> None:
    [failure] = to_table([CALL | {"price": -0.03}])[1]
    assert failure.message.startswith("price: -0.03 is a float")
    assert "pass the body as bytes, or a Decimal" in failure.message


@pytest.mark.parametrize(
    ("value", "price"),
    [
        (3, "3"),
        (Decimal("-0.03"), "-0.03"),
        (Decimal("1E-8"), "0.00000001"),
        (Decimal("1E+2"), "100"),
    ],
)
def test_exact_numbers_in_a_mapping_are_read(value: int | Decimal, price: str) -> None:
    table, _ = to_table([CALL | {"price": value}])
    assert table["price"].to_pylist() == [Decimal(price)]


@pytest.mark.parametrize(
    "value",
    [10**5000, Decimal("1E+999999"), Decimal("1E-999999"), Decimal("NaN"), Decimal("Infinity"),
     True, object()],
    ids=["huge", "large", "tiny", "nan", "infinite", "bool", "object"],
)  # fmt: skip
def test_what_is_no_exact_number_in_a_mapping_is_refused(value: object) -> None:
    [failure] = to_table([CALL | {"price": value}])[1]
    assert failure.message.startswith("price: ")
    assert len(failure.message) < 300
