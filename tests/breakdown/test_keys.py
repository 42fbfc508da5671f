"""The keys that calls are grouped by."""

from __future__ import annotations

import pandas as pd
import pytest

from callkit import cost_breakdown, duration_breakdown
from callkit.addresses import NUMBER_TYPES
from callkit.breakdown.keys import origin_of_party
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls, in_plain_values


def groups_of(frame: pd.DataFrame, by: str, tz: str = "UTC") -> list[tuple[object, ...]]:
    return in_plain_values(duration_breakdown(frame, by, tz=tz)[[by, "calls"]])


@pytest.mark.parametrize(
    ("call", "channel"),
    [
        ({"direction": "outbound-api", "to": "+442079460000", "from": "client:amy"}, "pstn"),
        ({"direction": "inbound", "from": "client:amy", "to": "+442079460000"}, "client"),
        ({"direction": "outbound-dial", "to": "sip:amy@example.com"}, "sip"),
        ({"direction": "outbound-dial", "to": "sips:amy@example.com"}, "sip"),
        ({"direction": "inbound", "from": "SIM:HS0123"}, "sim"),
        ({"direction": "inbound", "from": "whatsapp:+442079460000"}, "other"),
        ({"direction": "inbound", "from": "+266696687"}, "pstn"),
        ({"direction": "trunking-terminating", "to": "+442079460000"}, "trunk"),
        ({"direction": "inbound", "from": "+442079460000", "trunk_sid": "TK" + "0" * 32}, "trunk"),
        ({"direction": "inbound", "to": "+442079460000"}, None),
        ({"direction": "sideways", "to": "+442079460000"}, None),
    ],
)
def test_the_channel_is_that_of_the_other_party(call: dict[str, str | None], channel: str) -> None:
    assert groups_of(calls(call), "channel") == [(channel, 1)]


@pytest.mark.parametrize(
    ("direction", "ours", "theirs"),
    [
        ("inbound", "+2", "+1"),
        ("trunking-originating", "+2", "+1"),
        ("outbound-api", "+1", "+2"),
        ("outbound-dial", "+1", "+2"),
        ("trunking-terminating", "+1", "+2"),
        (None, None, None),
    ],
)
def test_which_side_is_ours_follows_the_direction(
    direction: str | None, ours: str | None, theirs: str | None
) -> None:
    call = calls({"direction": direction, "from": "+1", "to": "+2"})
    assert groups_of(call, "our_number") == [(ours, 1)]
    assert groups_of(call, "other_party") == [(theirs, 1)]


def test_hour_and_weekday_are_read_off_the_local_clock() -> None:
    sunday_night = calls({"start": "2025-03-30T22:30:00+00:00"}, {})
    assert groups_of(sunday_night, "hour") == [(22, 1), (None, 1)]
    assert groups_of(sunday_night, "hour", tz="Europe/Berlin") == [(0, 1), (None, 1)]
    assert groups_of(sunday_night, "weekday") == [("Sunday", 1), (None, 1)]
    assert groups_of(sunday_night, "weekday", tz="Europe/Berlin") == [("Monday", 1), (None, 1)]


def test_groups_are_sorted_by_one_key_after_the_other_missing_keys_last() -> None:
    frame = calls(
        {"direction": None, "status": "busy"},
        {"direction": "outbound-api", "status": "busy"},
        {"direction": "inbound", "status": "busy"},
        {"direction": "inbound", "status": "completed"},
    )
    got = in_plain_values(duration_breakdown(frame, ["direction", "status"]))
    assert [row[:2] for row in got] == [
        ("inbound", "completed"),  # as in the vocabulary: completed comes before busy
        ("inbound", "busy"),
        ("outbound-api", "busy"),
        (None, "busy"),
    ]


def test_a_column_of_ones_own_goes_before_a_derived_key() -> None:
    frame = calls({"direction": "inbound", "from": "+1"}).assign(channel="sales")
    assert groups_of(frame, "channel") == [("sales", 1)]


@pytest.mark.parametrize("by", ["price", "duration", "start_time"])
def test_any_column_can_be_a_key(by: str) -> None:
    frame = calls(
        {"price": "-2", "duration": "2", "start": "2025-01-02T00:00:00+00:00"},
        {"price": "-1", "duration": "3", "start": "2025-01-03T00:00:00+00:00"},
        {},
    )
    got = duration_breakdown(frame, by)[by]
    assert got.dtype == frame[by].dtype
    assert got.tolist()[:2] == sorted(frame[by].tolist()[:2])
    assert got.isna().tolist() == [False, False, True]


def test_many_keys_of_many_values() -> None:
    frame = calls(*[{"from": f"+{n}", "to": f"+{n % 7}"} for n in range(50)])
    by = ["sid", "from", "to", "sid", "status", "account_sid"]
    assert len(duration_breakdown(frame, by)) == 50


@pytest.mark.parametrize("name", ["calls", "cost"])
def test_a_key_named_like_a_measure_is_refused(name: str) -> None:
    frame = calls({}).assign(**{name: 1})
    with pytest.raises(FrameError, match=f"by '{name}': a breakdown has a column"):
        cost_breakdown(frame, name)


def test_a_key_whose_values_cannot_be_compared_is_refused() -> None:
    frame = calls({}).assign(tags=pd.Series([["a"]], dtype=object))
    with pytest.raises(FrameError, match="Cannot group by 'tags'"):
        duration_breakdown(frame, "tags")


def test_a_name_that_two_columns_bear_is_refused() -> None:
    with pytest.raises(FrameError, match="by 'to': the DataFrame has 2 columns"):
        duration_breakdown(pd.concat([calls({}), calls({})[["to"]]], axis="columns"), "to")


def test_what_a_derived_key_is_read_from_is_asked_for() -> None:
    with pytest.raises(FrameError, match="Missing columns: 'parent_call_sid'"):
        cost_breakdown(calls({}).drop(columns="parent_call_sid"), "leg")


@pytest.mark.parametrize(
    ("address", "country", "number_type"),
    [
        ("+442079460000", "GB", "fixed"),
        ("+4917604069010", "DE", "mobile"),
        ("+18002345678", "US", "toll-free"),
        ("+19002345678", "US", "premium"),
        ("+33884012345", "FR", "shared-cost"),
        ("+445612345678", "GB", "voip"),
        ("+447012345678", "GB", "personal"),
        # countries that share a calling code
        ("+12125550123", "US", "fixed-or-mobile"),
        ("+14165550123", "CA", "fixed-or-mobile"),
        ("+18765550123", "JM", "mobile"),
        ("+79123456789", "RU", "mobile"),
        ("+77710009998", "KZ", "mobile"),
        ("+447781123456", "GG", "mobile"),
        ("+441534456789", "JE", "fixed"),
        # set aside for drama, so in no list: the only country of +353, one of several of +44
        ("+353209112345", "IE", "unknown"),
        ("+447700900123", "+44", "unknown"),
        # of no country: Iridium, and universal freephone
        ("+881612345678", "international", "mobile"),
        ("+80012345678", "international", "toll-free"),
    ],
)
def test_numbers_are_placed(address: str, country: str, number_type: str) -> None:
    assert origin_of_party(address) == (country, number_type)


@pytest.mark.parametrize(
    "address",
    [
        "+266696687",  # A2 N6 O6 N6 Y9 M6 O6 U8 S7; +266 is Lesotho
        "+7378742833",  # R7 E3 S7 T8 R7 I4 C2 T8 E3 D3; +7 is Russia
        "+2562533",  # B2 L5 O6 C2 K5 E3 D3; +256 is Uganda
        "+8656696",  # U8 N6 K5 N6 O6 W9 N6; +86 is China
        "+86282452253",  # U8 N6 A2 V8 A2 I4 L5 A2 B2 L5 E3
        "anonymous",
        "Restricted",
    ],
)
def test_words_on_a_keypad_are_of_no_country(address: str) -> None:
    assert origin_of_party(address) == ("withheld", "withheld")


def test_a_number_that_only_begins_like_a_word_is_a_number() -> None:
    assert origin_of_party("+17378742833").country == "US"  # Austin, Texas


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("sip:amy@example.com", "sip"),
        ("sips:+442079460000@example.com", "sip"),
        ("client:+442079460000", "client"),
        ("sim:DE0123", "sim"),
        ("whatsapp:+442079460000", "other"),
        ("911", "unparseable"),
        ("2125550123", "unparseable"),
        ("+1", "unparseable"),
        ("+999123456789", "unparseable"),
        ("?", "unparseable"),
    ],
)
def test_what_is_no_number_is_a_group_of_its_own(address: str, group: str) -> None:
    assert origin_of_party(address) == (group, group)
    assert group in NUMBER_TYPES


def test_no_group_can_be_taken_for_a_country() -> None:
    assert not [name for name in NUMBER_TYPES if len(name) == 2 or name != name.lower()]


def test_the_other_party_is_looked_up() -> None:
    frame = calls(
        {"direction": "inbound", "from": "+442079460000", "to": "+12125550123", "price": "-1"},
        {"direction": "outbound-api", "from": "+12125550123", "to": "+266696687", "price": "-2"},
        {"direction": "outbound-dial", "from": "+12125550123", "to": "client:amy", "price": "-4"},
        {"direction": "outbound-dial", "from": "+12125550123", "price": "-8"},
        {"direction": None, "from": "+442079460000", "to": "+12125550123", "price": "-16"},
    )
    got = cost_breakdown(frame, ["country", "number_type"])
    assert in_plain_values(got[["country", "number_type", "cost"]]) == [
        ("GB", "fixed", "1"),
        ("client", "client", "4"),
        ("withheld", "withheld", "2"),
        (None, None, "24"),  # nobody was called, and nobody knows which side is the other
    ]


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_dtypes_do_not_depend_on_the_numbers(rows: int) -> None:
    frame = calls({"direction": "inbound", "from": "+442079460000"}, {"direction": "inbound"})
    got = duration_breakdown(frame[:rows], ["country", "number_type"])
    assert got["country"].dtype == "str"
    assert got["number_type"].cat.categories.tolist() == list(NUMBER_TYPES)
