from __future__ import annotations

import json

import phonenumbers
import pytest

from callkit.cache.mentions import Mentions
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of

NUMBER = "+14155552671"

# Numbers that end like many of the sandbox, and are nobody's there.
ALIKE = ["+3545550133", "+85265550133", "+19075550133", "+4755550133", "+6155500101"]


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


@pytest.mark.parametrize(
    "value",
    [
        # digits for an outside line, another country or a carrier
        "sip:914155552671@pbx",
        "sip:04155552671@pbx",
        "sip:0014155552671@pbx",
        "sip:90114155552671@pbx",
        "sip:9 011 1 415 555 2671@pbx",
        "sip:+914155552671@pbx",
        "sip:+0014155552671@pbx",
        "sip:1010288 1 415 555 2671@pbx",
        "sip:444155552671@pbx",
        "+0 415 555 2671",
        "+4155552671",
        # as dialled within its area
        "555-2671",
        "sip:5552671@pbx",
        "sip:95552671@pbx",
        "call 555 2671 back",
        # beside something else
        "4155552671/4155552672",
        "4155552672/4155552671",
        "4155552672/5552671",
        "4155552672;4155552671",
        "4155552671,4155552672",
        "4155552671&4155552672",
        "4155552672 4155552671",
        "4155552671-4155552672",
        "(415) 555-2672 (415) 555-2671",
        "+12125550100 4155552671",
        "+1 212 555 0100/415 555 2671",
        "22 4155552671",
        "4155552671 x12",
        "4155552671x12",
        "+1 415 555 2671 12",
        "tel:+1-415-555-2671;ext=12",
        "sip:+14155552671;npdi@carrier.example.com;user=phone",
        "sip:+1.415.555.2671;phone-context=+1@pbx.example.com",
        '"Amy" <sip:14155552671@pbx.example.com>',
        "Amy <4155552671>",
        "amy4155552671",
        # separators, scripts and escapes
        "+1-415-555-2671",
        "+1 (0)415 555 2671",
        "(+1)(415)555.2671",
        "[415] 555_2671",
        "415\\555\\2671",
        "415\n555\t2671",
        "+1\xa0415\u2009555\u20112671",
        "\u202a+1\u200b4155552671\u202c",
        "\uff0b\uff11\uff14\uff11\uff15\uff15\uff15\uff15\uff12\uff16\uff17\uff11",
        "\u0661\u0664\u0661\u0665\u0665\u0665\u0665\u0662\u0666\u0667\u0661",
        "\u0967\u096a\u0967\u096b\u096b\u096b\u096b\u0968\u096c\u096d\u0967",
        "\U0001d7cf415555267\U0001d7cf",
        "sip:%2B14155552671@pbx",
        "sip:415%20555%202671@pbx",
        "sip:%34155552671@pbx",
        "sip:415%2520555%25202671@pbx",
    ],
)
def test_a_number_is_found_in_every_spelling(value: str) -> None:
    assert Mentions([NUMBER])(body(**{"from": value}))
    ascii_only = json.dumps({"annotation": [{"note": value}]}).replace("/", r"\/")
    assert Mentions([NUMBER])(ascii_only.encode())
    assert Mentions([NUMBER])(json.dumps({"to": value}, ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("+442079460000", "sip:9442079460000@pbx"),
        ("+442079460000", "020 7946 0000"),
        ("+442079460000", "7946 0000"),
        ("+442079460000", "+44 (020) 7946 0000"),
        ("+390612345678", "+39 (0)6 12345678"),
        ("+36301234567", "+36 (06) 30 123 4567"),
        ("+36301234567", "06 30 123 4567"),
        ("+74951234567", "8 (495) 123-45-67"),
        ("+525512345678", "+52 1 55 1234 5678"),
        ("+541123456789", "+54 9 11 2345 6789"),
        ("+5491123456789", "+54 11 2345-6789"),
        ("+5491123456789", "sip:541123456789@pbx"),
        ("+5491123456789", "011 15 2345-6789"),
        ("+5491123456789", "15 2345 6789"),
        ("+5491123456789", "+54 11 15 2345 6789"),
        ("+5492901412345", "02901 15-412345"),
        ("+5511987654321", "+55 11 8765-4321"),
        ("+551187654321", "+55 11 98765-4321"),
        ("+37061234567", "+370 8 612 34567"),
        ("+375291234567", "+375 80 29 123 45 67"),
        ("+14155552671", "+1 1 415 555 2671"),
        ("+3545812345", "sip:93545812345@pbx"),
        ("+3545812345", "5812345"),
        ("+4520123456", "9 00 45 20 12 34 56"),
        ("+6561234567", "sip:1234 6123 4567@pbx"),
        ("+29021234", "+290 21234"),
        ("+29021234", "0029021234"),
    ],
)
def test_a_number_of_any_country_is_found_as_its_people_write_it(number: str, value: str) -> None:
    assert Mentions([number])(body(**{"from": value, "to": None}))


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
        "+12125552671",
        "(212) 555-2671",
        "sip:12125552671@pbx",
        "sip:912125552671@pbx",
        "+15552671",
        "552671",
        "sip:4155552671234@pbx",
        "1-415-555-26712",
        "415555267",
        "CA" + "0" * 22 + "4155552671",
        "4155552a4155552671f4155552671fff",
        "550e8400-e29b-41d4-a716-414155552671",
        "2025-11-15T14:15:55.552671Z",
    ],
)
def test_other_numbers_are_left_alone(other: str) -> None:
    assert not Mentions([NUMBER])(body(**{"from": other}))


@pytest.mark.parametrize(
    ("number", "attributes"),
    [
        # the last seven digits of a number that is written in full too
        ("+3545550133", {"from": "+12065550133", "from_formatted": "(206) 555-0133"}),
        ("+3545550133", {"from": "+12065550133", "from_formatted": "1-206-555-0133"}),
        ("+85265550133", {"from": "+12065550133", "from_formatted": "(206) 555-0133"}),
        ("+14755550100", {"from": "+4755550100"}),
        (NUMBER, {"from": "+12125552671", "from_formatted": "(212) 5552671"}),
        ("+3540496070", {"to": "+441610496070", "to_formatted": "0161 0496070"}),
        # dates, times and prices
        ("+4520100401", {"uri": "/2010-04-01/Accounts/AC/Calls", "api_version": "2010-04-01"}),
        ("+4520230315", {"start_time": "2023-03-15T11:46:11Z"}),
        ("+4520230315", {"annotation": "on 2023-03-15 11:46:11, by Amy"}),
        ("+4545123456", {"start_time": "2023-03-15T11:46:45.123456Z"}),
        ("+3542550000", {"price": "-0.02550000"}),
    ],
)
def test_what_only_looks_like_a_number_is_left_alone(
    number: str, attributes: dict[str, object]
) -> None:
    assert not Mentions([number])(body(**attributes))


def test_ten_thousand_calls_mention_no_number_of_another_party() -> None:
    examples = filter(None, map(phonenumbers.example_number, phonenumbers.SUPPORTED_REGIONS))
    e164 = phonenumbers.PhoneNumberFormat.E164
    numbers = [phonenumbers.format_number(number, e164) for number in examples]
    assert len(numbers) > 200
    mentions = Mentions([*numbers, *ALIKE])
    sandbox = Sandbox(calls=13_000, seed=5)
    bodies = [body_of(sandbox.call(sid)) for sid in sandbox.sids(10_000)]
    assert [text for text in bodies if mentions(text)] == []


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
        ("sip:amy@example.com", "sip:Amy@Example.com;transport=tls"),
        ("sip:amy@example.com", "sip:Amy:secret@example.com:5080?Subject=x"),
        ("sip:amy@example.com:5080", '"Amy" <sip:amy@example.com;lr>;tag=1'),
        ("sip:amy@example.com", "sip%3Aamy%40example.com"),
        ("sip:amy%20lee@example.com", "sip:Amy%20Lee@example.com"),
        ("sip:amy@example.com", "sip:%61my@example.com"),
        ("sip:amy@example.com", "tel:+442079460000,sip:amy@example.com."),
        ("sip:amy@example.com", "amy@example.com"),
        ("sip:pbx.example.com", "sips:PBX.example.com:5061"),
        ("client:amy", "client:amy?ticket=7"),
        ("client:amy", "client%3Aamy"),
        ("client:amy", "CLIENT:Amy, client:bob"),
        ("client:amy", "client:bob/client:amy"),
        ("client:amy lee", "client:amy%20lee"),
        ("client:amy%40shop", "client:amy@shop"),
        ("client:jos\xe9", "client:Jos\xc9"),
        ("client:jos\xe9", "client:jose\u0301"),
        ("client:jose\u0301", "client:Jos%C3%A9"),
        ("sip:amy@example.com", "sip:amy;phone-context=x@example.com"),
        ("whatsapp:+14155552671", "whatsapp:+1-415-555-2671"),
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
        ("sip:amy@example.com", "sip:big.amy@example.com"),
        ("sip:amy@example.com", "sip:amy@example.comet"),
        ("client:amy", "client:amy.smith"),
        ("client:amy", "client:amy-2"),
        ("client:amy", "myclient:amy"),
        ("client:amy", "client:bob amy"),
        ("whatsapp:+14155552671", "+14155552671"),
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
