from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callkit.normaliser import to_table
from callkit.schema import MONEY
from tests.normaliser.calls import CALL, body, read, steady

NO_NUMBERS = ["", " ", "abc", "0x41", "1e3", "1E3", " 42", "42 ", "42\n", "٤٢", "1_000", "1,5"]
NO_NUMBERS += ["NaN", "Infinity", "-inf", "--1", "+-1", "-", "+", ".", "-.", "5.", "1.2.3", "½"]


@pytest.mark.parametrize(
    ("text", "price"),
    [
        ("-0.01700", "-0.017"),
        ("0", "0"),
        ("-0.00", "0"),
        ("+0.5", "0.5"),
        ("-.017", "-0.017"),
        ("007.5", "7.5"),
        ("0.01700000000000", "0.017"),
        ("0000000000001", "1"),
        ("9999999999.99999999", "9999999999.99999999"),
        ("-9999999999.99999999", "-9999999999.99999999"),
        ("0.00000001", "0.00000001"),
    ],
)
def test_a_price_is_exact(text: str, price: str) -> None:
    assert read("price", text) == Decimal(price)


@pytest.mark.parametrize("text", ["0.000000001", "0.123456789", "10000000000", "-99999999999.5"])
def test_more_digits_than_fit_are_refused_not_rounded(text: str) -> None:
    [failure] = to_table([body(price=text)])[1]
    assert failure.message == (
        f"price: {text!r} has too many digits: "
        "a price has at most 10 before the decimal point and 8 after it"
    )


@pytest.mark.parametrize("text", NO_NUMBERS[1:])
def test_what_is_no_price_is_refused_by_name(text: str) -> None:
    [failure] = to_table([body(price=text)])[1]
    assert failure.message == f"price: {text!r} is not a decimal number"


@given(st.decimals(-(10**10) + 1, 10**10 - 1, places=8), st.sampled_from(["", "0", "0000"]))
@steady
def test_no_digit_of_a_price_is_lost(price: Decimal, zeros: str) -> None:
    assert read("price", f"{price:f}{zeros}") == price


@given(st.from_regex(r"[+-]?[0-9]{0,12}\.?[0-9]{0,10}", fullmatch=True) | st.text(max_size=5))
@steady
def test_a_price_is_right_or_refused(text: str) -> None:
    got = read("price", text) if text else None
    if got is not None:
        assert got == Decimal(text)
        assert pa.scalar(got, MONEY).as_py() == got


@pytest.mark.parametrize("name", ["duration", "queue_time"])
@pytest.mark.parametrize("text", [*NO_NUMBERS[1:], "-1", "+1", "4.0", "1" * 13])
def test_what_is_no_whole_number_is_refused_by_name(name: str, text: str) -> None:
    unit = {"duration": "seconds", "queue_time": "milliseconds"}[name]
    [failure] = to_table([body(**{name: text})])[1]
    assert failure.message == f"{name}: {text!r} is not a whole number of {unit}"


@given(st.integers(0, 10**9 - 1), st.integers(0, 10**12 - 1))
@steady
def test_durations_are_seconds_and_queue_times_milliseconds(seconds: int, millis: int) -> None:
    assert read("duration", str(seconds)) == timedelta(seconds=seconds)
    assert read("queue_time", str(millis)) == timedelta(milliseconds=millis)


@pytest.mark.parametrize(
    ("literal", "price"),
    [("-0.1", "-0.1"), ("3", "3"), ("0.12345678", "0.12345678"), ("-0", "0"), ("0.300", "0.3")],
)
def test_a_json_number_is_read_digit_by_digit(literal: str, price: str) -> None:
    sent = body(price="HERE", duration="THERE").decode()
    sent = sent.replace('"HERE"', literal).replace('"THERE"', "65")
    table, _ = to_table([sent])
    assert table["price"].to_pylist() == [Decimal(price)]
    assert table["duration"].to_pylist() == [timedelta(seconds=65)]


@pytest.mark.parametrize("literal", ["1e-2", "0.1000000000000000055511151231257827", "1E400"])
def test_a_json_number_that_is_no_price_is_refused(literal: str) -> None:
    [failure] = to_table([body(price="HERE").replace(b'"HERE"', literal.encode())])[1]
    assert failure.message.startswith("price: ")
    assert literal in failure.message


def test_a_long_value_is_abridged() -> None:
    [failure] = to_table([CALL | {"price": "9" * 100_000}])[1]
    assert len(failure.message) < 200
