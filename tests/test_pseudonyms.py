"""Pseudonyms under a key: of addresses, and in Arrow tables."""

from __future__ import annotations

import hashlib
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callkit import SCHEMA
from callkit.addresses import canonical, channel_of, is_withheld, origin_of, read_pseudonym
from callkit.breakdown.keys import channel_of_party, origin_of_party
from callkit.breakdown.measures import KEYS
from callkit.errors import FrameError
from callkit.pseudonyms import Pseudonyms, pseudonymise
from tests.breakdown.synthetic import calls
from tests.test_addresses import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Callable

KEY = "the key of these tests"
PLAIN = Pseudonyms(KEY)
KEEPING = Pseudonyms(KEY, keep="country")

digits = st.from_regex(r"(1|34|44|49|7|39|852)[1-9][0-9]{6,9}", fullmatch=True)
schemes = st.sampled_from(["", "+", "tel:+", "sip:", "sips:", "client:", "sim:", "whatsapp:+"])
addresses = st.one_of(
    st.builds("{}{}".format, schemes, st.one_of(digits, st.text(max_size=20))),
    st.builds("sip:{}@{}".format, st.text(max_size=8), st.text(max_size=8)),
    st.sampled_from(["+266696687", "anonymous", "911", *SPELLINGS]),
)


def test_ten_spellings_of_a_number_have_one_pseudonym() -> None:
    assert len(set(SPELLINGS)) >= 10
    assert len({KEEPING.of(spelling) for spelling in SPELLINGS}) == 1


@given(digits, st.lists(st.sampled_from(["", "-", ".", " ", "\N{NO-BREAK SPACE}"]), min_size=15))
def test_separators_change_no_pseudonym(number: str, separators: list[str]) -> None:
    spelt = "".join(map("".join, zip(number, separators, strict=False)))
    assert KEEPING.of(f"+{spelt}") == KEEPING.of(f"tel:+{spelt}") == KEEPING.of(f"+{number}")


@given(addresses, addresses)
def test_parties_share_a_pseudonym_only_if_they_are_the_same(one: str, other: str) -> None:
    same = canonical(one) == canonical(other)
    assert (PLAIN.of(one) == PLAIN.of(other)) is same
    assert (KEEPING.of(one) == KEEPING.of(other)) is same


@given(addresses)
def test_a_pseudonym_is_known_as_one_and_for_nobody_there_is_none(address: str) -> None:
    is_nobody = not address.strip() or is_withheld(address)
    for names in (PLAIN, KEEPING):
        assert (read_pseudonym(names.of(address)) is None) is is_nobody


@given(addresses)
def test_what_is_kept_is_what_the_address_told(address: str) -> None:
    assert channel_of_party(KEEPING.of(address)) == channel_of(address)
    assert origin_of_party(KEEPING.of(address)) == origin_of(address)


@given(addresses)
def test_without_keep_only_the_channel_is_told(address: str) -> None:
    assert channel_of_party(PLAIN.of(address)) == channel_of(address)
    assert PLAIN.of(address).split("~") in (
        [channel_of(address), KEEPING.of(address)[-32:]],
        [KEEPING.of(address)],  # of nobody
    )


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("+12125550123", "pstn~US~fixed-or-mobile~"),
        ("+14165550123", "pstn~CA~fixed-or-mobile~"),  # the same calling code
        ("+447700900123", "pstn~+44~unknown~"),
        ("+80012345678", "pstn~international~toll-free~"),
        ("911", "pstn~unparseable~unparseable~"),
        ("client:amy", "client~"),
        ("sips:amy@example.com", "sip~"),
        ("sim:DE0123", "sim~"),
        ("whatsapp:+12125550123", "other~"),
    ],
)
def test_the_country_is_kept_not_the_calling_code(address: str, kept: str) -> None:
    assert KEEPING.of(address)[:-32] == kept


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+266696687", "+266696687"),
        ("anonymous", "anonymous"),
        ("", ""),
        (" ", ""),
        ("Amy Day +266 696 687", "+266696687"),
        ("sip:anonymous:4155550123@anonymous.invalid;tel=4155550123", "sip:anonymous@anonymous"),
    ],
)
def test_nobody_stays_and_hides_nobody(address: str, shown: str) -> None:
    assert PLAIN.of(address).removesuffix(".invalid") == shown


def test_a_pseudonym_is_hmac_sha256_by_rfc_2104() -> None:
    block = KEY.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + b"+14155550123").digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block) + inner).hexdigest()
    assert PLAIN.of("+1 (415) 555-0123") == f"pstn~{outer[:32]}"


def test_a_list_of_all_numbers_reveals_a_plain_hash_and_no_pseudonym() -> None:
    all_numbers = [f"+4420794600{n:02}" for n in range(100)]
    spellings = {spelt for number in all_numbers for spelt in (number, number[1:], number[3:])}
    listed = {hashlib.sha256(spelt.encode()).hexdigest()[:32] for spelt in spellings}
    listed |= {Pseudonyms("another key of some length").of(number)[-32:] for number in all_numbers}
    plain_hashes = {hashlib.sha256(number.encode()).hexdigest()[:32] for number in all_numbers}
    assert plain_hashes <= listed
    assert listed.isdisjoint(PLAIN.of(number)[-32:] for number in all_numbers)


def test_a_key_is_the_same_as_text_and_as_bytes() -> None:
    assert Pseudonyms(KEY.encode()).of("+14155550123") == PLAIN.of("+14155550123")


@pytest.mark.parametrize(
    ("key", "keep", "error", "message"),
    [
        (
            "too short",
            None,
            ValueError,
            r"The key has 9 bytes: expected at least 16, for example",
        ),
        (b"", None, ValueError, r"The key has 0 bytes"),
        (None, None, TypeError, r"Invalid key: expected bytes or text, not NoneType"),
        (17, None, TypeError, r"Invalid key: expected bytes or text, not int"),
        (KEY, "city", ValueError, r"Invalid keep 'city': expected 'country' or None"),
        (
            KEY,
            ["country"],
            ValueError,
            r"Invalid keep .*: expected 'country' or None",
        ),
    ],
)
def test_a_wrong_key_or_keep_is_refused(
    key: Any, keep: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{message}"):
        Pseudonyms(key, keep=keep)


def test_sixteen_bytes_are_enough_even_in_eight_letters() -> None:
    assert Pseudonyms("é" * 8).of("+14155550123")


def test_a_key_shows_in_no_repr_and_no_pickle() -> None:
    assert repr(KEEPING) == "Pseudonyms(keep='country')"
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(KEEPING)


@pytest.mark.parametrize("key", ["a secret of some length", "a short secret"])
def test_a_traceback_with_locals_does_not_show_the_key(key: str) -> None:
    frame = calls({}).assign(**{"from": 17})
    with pytest.raises(ValueError, match="Column 'from'|The key has 14 bytes") as caught:
        pseudonymise(frame, key)
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [entry for entry in shown.stack if "test_pseudonyms" not in entry.filename]
    assert ours
    assert not [entry for entry in ours if key in str(entry.locals)]


PARTIES = ["+14155550123", None, "+266696687", "client:amy", "+1 415 555 0123", None, "client:amy"]


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.string(), pa.large_string(), pa.string_view()),
        *(pa.dictionary(pa.int32(), pa.string()), pa.dictionary(pa.int8(), pa.large_string())),
    ],
    ids=str,
)
def test_text_of_every_arrow_type_is_taken(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array(part).cast(kind) for part in (PARTIES[:3], PARTIES[3:])])
    got = PLAIN.of_table(pa.table({"to": column}))
    assert got["to"].type == pa.string()
    assert got["to"].to_pylist() == [party and PLAIN.of(party) for party in PARTIES]


@pytest.mark.parametrize("kind", [pa.null(), pa.float64(), pa.string()], ids=str)
def test_a_column_without_a_value_stays_without_one(kind: pa.DataType) -> None:
    got = PLAIN.of_table(pa.table({"to": pa.nulls(3, kind)}))
    assert got["to"].type == pa.string()
    assert got["to"].null_count == 3


@pytest.mark.parametrize(
    "column",
    [
        pa.array([14155550123]),
        pa.array([b"+14155550123"]),
        pa.array([14155550123]).dictionary_encode(),
        pa.array([["+14155550123"]]),
    ],
    ids=lambda column: str(column.type),
)
def test_a_column_of_parties_that_is_no_text_is_refused(column: pa.Array) -> None:
    with pytest.raises(
        FrameError, match=r"^Column 'to' has type .*: expected parties as text, such as '\+"
    ):
        PLAIN.of_table(pa.table({"to": column}))


def test_every_personal_column_is_a_pseudonym_or_left_out() -> None:
    fields = [*SCHEMA, *(column.field for column in KEYS)]
    marked = {field.name for field in fields if field.metadata[b"personal"] == b"true"}
    table = pa.table(
        {f.name: pa.array(["+14155550123"] if f.name in marked else [None], f.type) for f in fields}
    )
    got = PLAIN.of_table(table)
    left_out = {"caller_name", "from_formatted", "to_formatted"}
    assert got.column_names == [name for name in table.column_names if name not in left_out]
    made = {name for name in got.column_names if got[name].to_pylist() != table[name].to_pylist()}
    assert made == marked - left_out


def test_chunks_share_their_pseudonyms() -> None:
    amy, bob, cat = "client:amy", "client:bob", "client:cat"
    column = pa.chunked_array([[amy, None], [], [bob, amy], [cat]], pa.string())
    got = PLAIN.of_table(pa.table({"to": column}))["to"].to_pylist()
    assert got == [party and PLAIN.of(party) for party in (amy, None, bob, amy, cat)]


def test_batches_of_calls_keep_the_schema_of_calls() -> None:
    empty = PLAIN.of_table(SCHEMA.empty_table()).schema
    assert not [field for field in empty if not field.equals(SCHEMA.field(field.name), True)]
    assert PLAIN.of_table(SCHEMA.empty_table()).num_rows == 0


def test_the_metadata_of_a_table_is_left_out_and_the_notes_on_its_parties() -> None:
    noted = pa.field("to", pa.string(), metadata={"dtype": '{"categories": ["+14155550123"]}'})
    table = pa.table({"to": ["+14155550123"]}, pa.schema([noted], metadata={"by": "+14155550123"}))
    got = PLAIN.of_table(table).schema
    assert got.metadata is None
    assert got.field("to").metadata == SCHEMA.field("to").metadata


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("form", [str, str.encode])
def test_a_line_break_at_the_end_of_a_key_is_no_part_of_it(
    end: str, form: Callable[[str], str | bytes]
) -> None:
    key = "as openssl writes it into a file"
    assert Pseudonyms(form(key + end)).of("+442079460000") == Pseudonyms(key).of("+442079460000")


def test_blanks_are_no_key() -> None:
    with pytest.raises(ValueError, match="The key has 0 bytes"):
        Pseudonyms(" " * 20)


def test_columns_of_one_name_stay_beside_each_other() -> None:
    number = pa.array(["+442079460000"])
    table = pa.table([number, pa.array(["x"]), number], names=["from", "note", "from"])
    pseudonym = Pseudonyms("k" * 16).of("+442079460000")
    made = Pseudonyms("k" * 16).of_table(table)
    assert [column.to_pylist() for column in made.columns] == [[pseudonym], ["x"], [pseudonym]]
