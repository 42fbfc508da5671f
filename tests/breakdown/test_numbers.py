"""What a party's address tells of it."""

from __future__ import annotations

import pytest

from callkit import cost_breakdown, duration_breakdown
from callkit.addresses import NUMBER_TYPES
from callkit.breakdown.keys import origin_of_party as origin_of
from tests.breakdown.frames import calls, in_plain_values


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
    assert origin_of(address) == (country, number_type)


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
    assert origin_of(address) == ("withheld", "withheld")


def test_a_number_that_only_begins_like_a_word_is_a_number() -> None:
    assert origin_of("+17378742833").country == "US"  # Austin, Texas


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
    assert origin_of(address) == (group, group)
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
