"""What the address of a party is."""

from __future__ import annotations

import pytest

from callkit.addresses import canonical, channel_of, is_withheld, origin_of

SPELLINGS = (
    "+14155550123",
    "+1 (415) 555-0123",
    "+1-415-555-0123",
    "+1.415.555.0123",
    " +1 415 555 0123 ",
    "+1\N{NO-BREAK SPACE}415\N{NON-BREAKING HYPHEN}5550123",
    "\N{LEFT-TO-RIGHT EMBEDDING}+14155550123\N{POP DIRECTIONAL FORMATTING}",
    "\N{FULLWIDTH PLUS SIGN}"
    + "".join(chr(ord("\N{FULLWIDTH DIGIT ZERO}") + int(digit)) for digit in "14155550123"),
    "tel:+1-415-555-0123",
    "TEL:+14155550123",
    "+1 415 555 0123 ext. 7",
    "tel:+1-415-555-0123;ext=7",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_a_number_are_one(spelling: str) -> None:
    assert canonical(spelling) == "+14155550123"
    assert channel_of(spelling) == "pstn"
    assert origin_of(spelling) == origin_of("+14155550123")


@pytest.mark.parametrize(
    ("spelling", "number"),
    [
        ("+44 (0)20 7946 0000", "+442079460000"),  # the zero that is dialled within the country
        ("+390612345678", "+390612345678"),  # Italy dials its zero from everywhere
        ("+54 11 15 2345 6789", "+5491123456789"),  # a mobile, as Argentina dials it at home
    ],
)
def test_what_is_only_dialled_within_a_country_is_no_part_of_a_number(
    spelling: str, number: str
) -> None:
    assert canonical(spelling) == number


@pytest.mark.parametrize("number", ["4155550123", "(415) 555-0123", "0014155550123", "911"])
def test_a_number_without_its_country_code_stays_as_it_is(number: str) -> None:
    assert canonical(number) == number


@pytest.mark.parametrize(
    "spelling",
    [
        "sip:Amy.Day@pbx.example.com",
        "SIP:Amy.Day@PBX.Example.Com",
        "sips:Amy.Day@pbx.example.com",
        "sip:Amy%2EDay@pbx.example.com",
        "sip:Amy.Day:secret@pbx.example.com",
        "sip:Amy.Day@pbx.example.com:5060",
        "sips:Amy.Day@pbx.example.com:5061",
        "sip:Amy.Day@pbx.example.com;transport=tls;user=phone",
        "sip:Amy.Day@pbx.example.com?Subject=hello",
    ],
)
def test_spellings_of_an_address_of_record_are_one(spelling: str) -> None:
    assert canonical(spelling) == "sip:Amy.Day@pbx.example.com"


@pytest.mark.parametrize(
    "other",
    [
        "sip:amy.day@pbx.example.com",  # the user's case counts
        "sip:Amy.Day@pbx.example.com:5080",
        "sip:Amy.Day@example.com",
        "sip:pbx.example.com",
        "sip:Amy.Day@[2001:db8::1]",
        "client:Amy.Day",
    ],
)
def test_other_parties_are_others(other: str) -> None:
    assert canonical(other) == other
    assert canonical(other) != canonical("sip:Amy.Day@pbx.example.com")


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("CLIENT:Amy", "client:Amy"),
        ("client:+1 415 555 0123", "client:+1 415 555 0123"),
        ("SIM:DE0123", "sim:DE0123"),
        ("WhatsApp:+1 (415) 555-0123", "whatsapp:+14155550123"),
        ("sip:+14155550123@pbx.example.com", "sip:+14155550123@pbx.example.com"),
    ],
)
def test_a_number_in_another_address_is_another_party(spelling: str, address: str) -> None:
    assert canonical(spelling) == address


@pytest.mark.parametrize(
    "address",
    [
        *("+266696687", "+266 696-687", "tel:+266696687", "Anonymous", " RESTRICTED "),
        *("sip:anonymous@anonymous.invalid", "sips:Anonymous@Anonymous.INVALID;user=phone"),
    ],
)
def test_who_shows_no_number_is_withheld(address: str) -> None:
    assert is_withheld(address)
    assert origin_of(address) == ("withheld", "withheld")


@pytest.mark.parametrize(
    "address", ["+2666966871", "anonymous@example.com", "client:anonymous", "+14155550123", ""]
)
def test_who_shows_one_is_not(address: str) -> None:
    assert not is_withheld(address)
