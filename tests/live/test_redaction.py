"""A recorded body names nobody, and is otherwise what the API sent."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from pandas.testing import assert_series_equal

import callkit
from callkit.addresses import is_withheld
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from callkit.schema import ATTRIBUTES
from tests.live.redaction import KEPT, Redaction
from tests.normaliser.calls import CALL

SANDBOX = Sandbox(calls=2_000)
BODIES = [body_of(SANDBOX.call(sid)) for sid in SANDBOX.sid_frame(300)["sid"]]
PERSONAL = [column.name for column in ATTRIBUTES if column.personal]
ENDS = ("start_time", "end_time")


@pytest.fixture(scope="module")
def redacted() -> list[bytes]:
    redaction = Redaction()
    return [redaction.of(body) for body in BODIES]


def test_no_party_name_or_sid_is_left(redacted: list[bytes]) -> None:
    for sent, written in zip(BODIES, redacted, strict=True):
        call = json.loads(sent)
        secret = [call[name] for name in PERSONAL if call[name] not in (None, "")]
        secret += [call["sid"], call["account_sid"]]
        for value in secret:
            assert is_withheld(value) or value.encode() not in written, value


def test_the_form_of_a_body_stays(redacted: list[bytes]) -> None:
    for sent, written in zip(BODIES, redacted, strict=True):
        before, after = json.loads(sent), json.loads(written)
        assert list(before) == list(after)
        for name, value in before.items():
            assert type(value) is type(after[name])
            assert (value in (None, "")) == (after[name] in (None, "")), name
        assert {name: before[name] for name in KEPT} == {name: after[name] for name in KEPT}


def test_redacted_calls_normalise_to_the_same_lengths_and_weekdays(redacted: list[bytes]) -> None:
    before, after = callkit.normalise(BODIES), callkit.normalise(redacted)
    assert_series_equal(before["duration"], after["duration"])
    assert_series_equal(
        before["end_time"] - before["start_time"], after["end_time"] - after["start_time"]
    )
    shifts = (before["start_time"] - after["start_time"]).dropna().unique()
    assert len(shifts) == 1
    assert shifts[0] % pd.Timedelta(weeks=1) == pd.Timedelta(0)


def test_legs_still_name_their_parent(redacted: list[bytes]) -> None:
    before, after = callkit.normalise(BODIES), callkit.normalise(redacted)
    found = before["parent_call_sid"].isin(before["sid"])
    assert found.any()
    assert_series_equal(found, after["parent_call_sid"].isin(after["sid"]))


def test_one_value_is_always_replaced_by_the_same(redacted: list[bytes]) -> None:
    before, after = callkit.normalise(BODIES), callkit.normalise(redacted)
    pairs = pd.DataFrame({"before": before["from"], "after": after["from"]}).drop_duplicates()
    assert pairs["before"].is_unique


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("caller_name", "Zoë SMITH-2", "Xxx XXXXX-0"),
        ("to", "sip:zoe.smith@example.com:5060", "sip:xxx.xxxxx@xxxxxxx.xxx:0000"),
        ("from", "client:zoe", "client:xxx"),
        ("from", "+266696687", "+266696687"),
        ("from", "anonymous", "anonymous"),
        ("annotation", "Called Zoë on 07911 123456", "Xxxxxx Xxx xx 00000 000000"),
        ("annotation", {"to": ["Zoë", None, 7]}, {"to": ["Xxx", None, "0"]}),
    ],
)
def test_what_names_somebody_is_replaced_by_its_form(name: str, value: Any, expected: Any) -> None:
    body = json.dumps({**CALL, name: value}).encode()
    assert json.loads(Redaction().of(body))[name] == expected


def test_a_number_and_its_display_form_stay_one_number() -> None:
    body = json.dumps({**CALL, "from": "+14155550101", "from_formatted": "(415) 555-0101"})
    call = json.loads(Redaction().of(body.encode()))
    assert call["from"].startswith("+1500555")
    assert call["from_formatted"] == f"(500) 555-{call['from'][-4:]}"
