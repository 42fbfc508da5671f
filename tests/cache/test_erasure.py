from __future__ import annotations

import json

import pytest

from callkit.cache.mentions import Mentions

NUMBER = "+14155552671"


def body(**attributes: object) -> bytes:
    call = {"sid": "CA" + "0" * 32, "to": "+442079460000", "duration": "4155552", "price": None}
    return json.dumps(call | attributes).encode()


@pytest.mark.parametrize(
    "written",
    [
        "+14155552671",
        "+1 415 555 2671",
        "+1 (415) 555-2671",
        "+1-415-555-2671",
        "+1.415.555.2671",
        "(+1) 415 555 2671",
        "0014155552671",
        "tel:+1-415-555-2671",
        "  +14155552671\n",
        "\uff0b1\xa0415\u2011555\u20112671",
        "+14155552671 ext. 5",
    ],
)
def test_a_number_may_be_given_in_any_international_spelling(written: str) -> None:
    assert Mentions([written])(body(**{"from": NUMBER}))


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("from", "+14155552671"),
        ("to", "14155552671"),
        ("to", "0014155552671"),
        ("from_formatted", "(415) 555-2671"),
        ("to_formatted", "+1 415-555-2671"),
        ("forwarded_from", "4155552671"),
        ("caller_name", "MAIER 415 555 2671"),
        ("from", "sip:+14155552671@pbx.example.com"),
        ("to", "whatsapp:+14155552671"),
        ("annotation", "she asked us to call 415.555.2671"),
    ],
)
def test_a_number_is_found_wherever_and_however_it_is_written(attribute: str, value: str) -> None:
    assert Mentions([NUMBER])(body(**{attribute: value}))


def test_a_number_is_found_behind_json_escapes() -> None:
    assert Mentions([NUMBER])(rb'{"from": "\u002b1415555\u0032671"}')


def test_a_number_is_found_in_a_body_that_is_not_quite_json() -> None:
    assert Mentions([NUMBER])(b'{"from": "+14155552671", "to": "\xff')


@pytest.mark.parametrize(
    "other",
    [
        "+14155552672",
        "+141555526712",
        "+444155552671",
        "+49 4155552671",
        "+1415555267",
    ],
)
def test_other_numbers_are_left_alone(other: str) -> None:
    assert not Mentions([NUMBER])(body(**{"from": other}))


@pytest.mark.parametrize("written", ["+44 (0)20 7946 0000", "+44 20 7946 0000", "00442079460000"])
def test_a_trunk_prefix_makes_no_other_number(written: str) -> None:
    assert Mentions(["+442079460000"])(body(to=written))
    assert Mentions([written])(body())


def test_a_number_that_no_plan_knows_is_found_as_it_is() -> None:
    assert Mentions(["+999 1234567"])(body(**{"from": "+9991234567"}))


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("client:amara_3", "client:amara_3"),
        ("client:Amara_3", "client:amara_3"),
        ("sip:amy@pbx.example.com", "sip:amy@pbx.example.com"),
        ("sips:Amy@PBX.example.com:5061", "sip:amy@pbx.example.com;transport=tls"),
        ("sim:DE" + "0" * 32, "sim:DE" + "0" * 32),
    ],
)
def test_an_address_is_found_in_its_spellings(given: str, found: str) -> None:
    assert Mentions([given])(body(**{"from": found, "from_formatted": None}))


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ("client:amara_3", "client:amara_33"),
        ("client:amara_3", "sip:amara_3@example.com"),
        ("sip:amy@example.com", "sip:amy@example.com.example.net"),
        ("sip:amy@example.com", "sip:mamy@example.com"),
    ],
)
def test_other_addresses_are_left_alone(given: str, other: str) -> None:
    assert not Mentions([given])(body(**{"from": other}))


@pytest.mark.parametrize("party", ["", "4155552671", "14155552671", "Amy", "12345", "+1234", "+"])
def test_what_is_no_party_is_refused(party: str) -> None:
    with pytest.raises(ValueError, match="Invalid party 2: expected a number in international"):
        Mentions([NUMBER, party])


def test_a_refusal_does_not_repeat_what_may_be_a_number() -> None:
    with pytest.raises(ValueError, match="party 1") as refusal:
        Mentions(["4155552671"])
    assert "4155552671" not in str(refusal.value)
