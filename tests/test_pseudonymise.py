"""Frames with pseudonyms in the place of parties."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import phonenumbers
import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat

import callkit
from callkit import cost_breakdown, duration_breakdown
from callkit.addresses import is_withheld, read_pseudonym
from callkit.errors import FrameError
from callkit.pseudonyms import Pseudonyms, pseudonymise
from tests.breakdown.synthetic import calls, sandbox_calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = b"the key of these tests"
PARTIES = ["forwarded_from", "from", "to"]
DROPPED = ["caller_name", "from_formatted", "to_formatted"]

parties = st.sampled_from(
    [None, "", "+14155550123", "+1 415 555 0123", "+442079460000", "+266696687", "client:amy"]
)
frames = st.builds(
    lambda rows: pd.DataFrame(rows, columns=PARTIES, dtype="str"),
    st.lists(st.tuples(parties, parties, parties), max_size=12),
)


@pytest.fixture(scope="module")
def df() -> pd.DataFrame:
    """Calls of a sandbox, and two of people who stand out."""
    own = calls(
        {
            "direction": "inbound",
            "from": "sip:Wilhelmina.Quuxley@Zanzibar.example.net:5062;tag=Ypsilon",
            "from_formatted": "sip:Wilhelmina.Quuxley@Zanzibar.example.net:5062",
            "to": "client:Thaddeus-Björk",
            "forwarded_from": "+1 (415) 555-0187",
            "caller_name": "QUUXLEY, WILHELMINA",
        },
        {"direction": "outbound-dial", "from": "+14155550187", "to": "whatsapp:+447700900187"},
    )
    return pd.concat([sandbox_calls(300), own], ignore_index=True)


def test_parties_are_pseudonyms_names_are_gone_and_the_rest_is_as_it_was(df: pd.DataFrame) -> None:
    got = pseudonymise(df, KEY)
    assert got.columns.tolist() == [name for name in df.columns if name not in DROPPED]
    others = got.columns.difference(PARTIES)
    pd.testing.assert_frame_equal(got[others], df[others])
    for name in PARTIES:
        assert got[name].dtype == df[name].dtype == "str"
        assert (got[name].isna() == df[name].isna()).all()
        made = dict(zip(df[name].dropna(), got[name].dropna(), strict=True))
        assert all(is_withheld(was) or read_pseudonym(now) for was, now in made.items())
        assert len(made) > 1


def test_the_frame_that_was_passed_stays_as_it_was(df: pd.DataFrame) -> None:
    before = df.copy()
    pseudonymise(df, KEY)
    pd.testing.assert_frame_equal(df, before)


@settings(max_examples=40)
@given(frames)
def test_null_stays_null_and_nobody_nobody(frame: pd.DataFrame) -> None:
    got = pseudonymise(frame, KEY)
    pd.testing.assert_series_equal(got.dtypes, frame.dtypes)
    pd.testing.assert_frame_equal(got.isna(), frame.isna())
    for nobody in ("", "+266696687"):
        pd.testing.assert_frame_equal(got.isin([nobody]), frame.isin([nobody]))


@settings(max_examples=40)
@given(frames, st.randoms(use_true_random=False))
def test_a_pseudonym_depends_on_neither_place_nor_company(frame: pd.DataFrame, random: Any) -> None:
    order = random.sample(range(len(frame)), len(frame))[: max(len(frame) // 2, 1)]
    there = pseudonymise(frame, KEY).iloc[order]
    pd.testing.assert_frame_equal(pseudonymise(frame.iloc[order], KEY), there)


def test_a_party_has_one_pseudonym_in_every_column(df: pd.DataFrame) -> None:
    inward, outward = pseudonymise(df, KEY).tail(2).to_dict("records")
    assert inward["forwarded_from"] == outward["from"] == Pseudonyms(KEY).of("+14155550187")


def test_pseudonyms_under_another_key_have_nothing_in_common(df: pd.DataFrame) -> None:
    one, other = (
        set(pseudonymise(df, key)[PARTIES].stack().dropna().str[-32:]) for key in (KEY, KEY + b"!")
    )
    shared = one & other
    assert all(map(is_withheld, shared))
    assert len(one - shared) == len(other - shared) > 100


def test_calls_still_join_to_a_table_of_ones_own(df: pd.DataFrame) -> None:
    customers = pd.DataFrame({"to": df["to"].dropna().unique()}).reset_index(names="customer")
    expected = df.merge(customers, on="to", how="left", validate="many_to_one")["customer"]
    theirs = pseudonymise(customers, KEY)
    got = pseudonymise(df, KEY).merge(theirs, on="to", how="left", validate="many_to_one")
    pd.testing.assert_series_equal(got["customer"], expected)


@pytest.mark.parametrize("breakdown", [cost_breakdown, duration_breakdown])
@pytest.mark.parametrize("by", ["country", "number_type", "channel", ["channel", "country", "leg"]])
def test_breakdowns_by_what_is_kept_are_as_before(
    df: pd.DataFrame, breakdown: Callable[..., pd.DataFrame], by: str | list[str]
) -> None:
    expected = breakdown(df, by, margins=True)
    pd.testing.assert_frame_equal(
        breakdown(pseudonymise(df, KEY, keep="country"), by, margins=True), expected
    )


def test_without_keep_numbers_are_one_group_beside_clients_and_the_withheld(
    df: pd.DataFrame,
) -> None:
    got = duration_breakdown(pseudonymise(df, KEY), ["channel", "country", "number_type"])
    assert got["country"].tolist() == got["number_type"].tolist()
    assert set(got["country"]) == {"pseudonym", "withheld", "client", "sip", "sim", "other"}
    pd.testing.assert_frame_equal(
        duration_breakdown(pseudonymise(df, KEY), "channel"), duration_breakdown(df, "channel")
    )


@pytest.mark.parametrize("by", ["our_number", "other_party"])
def test_breaking_down_and_pseudonymising_go_in_either_order(df: pd.DataFrame, by: str) -> None:
    after = cost_breakdown(pseudonymise(df, KEY), by)
    before = pseudonymise(cost_breakdown(df, by), KEY)
    assert after[by].notna().sum() > 10
    pd.testing.assert_frame_equal(
        before.sort_values([by, "price_unit"], ignore_index=True),
        after.sort_values([by, "price_unit"], ignore_index=True),
    )


def test_a_file_gives_back_what_was_written(df: pd.DataFrame, tmp_path: Path) -> None:
    got = pseudonymise(df, KEY, keep="country")
    callkit.to_parquet(got, tmp_path / "calls.parquet")
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "calls.parquet"), got)


def test_no_file_holds_a_personal_value(df: pd.DataFrame, tmp_path: Path) -> None:
    personal = _spellings(df)
    df = df.astype({"to": "category"})
    df.attrs = {"callkit": {"asked": 302}, "caller": "+14155550187"}
    assert len(_found(personal, _files(df, tmp_path))) > 500
    for keep in (None, "country"):
        assert not _found(personal, _files(pseudonymise(df, KEY, keep=keep), tmp_path))
        by_party = cost_breakdown(df, ["from", "to"])
        assert not _found(personal, _files(pseudonymise(by_party, KEY, keep=keep), tmp_path))


def _spellings(df: pd.DataFrame) -> set[bytes]:
    """List the personal values, and what of them would be enough to tell who it is."""
    values = set(df[[*PARTIES, *DROPPED]].stack().dropna())
    shown = {value for value in values if not is_withheld(value)}
    parts = {part for value in shown for part in value.replace("@", ":").split(":")[1:]}
    apart = {part for part in parts if not part.isalpha()}  # not sales, billing and the like
    names = {"Quuxley", "QUUXLEY", "Wilhelmina", "WILHELMINA", "Thaddeus", "Ypsilon"}
    numbers = {written for value in shown | apart for written in _numbers(value)}
    found = {spelt.encode() for spelt in shown | apart | names | numbers}
    return {spelt for spelt in found if len(spelt) > 4}


def _numbers(value: str) -> Iterator[str]:
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return
    yield phonenumbers.national_significant_number(number)
    for style in PhoneNumberFormat.E164, PhoneNumberFormat.NATIONAL, PhoneNumberFormat.RFC3966:
        yield phonenumbers.format_number(number, style)


def _files(df: pd.DataFrame, folder: Path) -> list[bytes]:
    """Write the frame in every way: with and without compression, and dictionaries, by pandas."""
    paths = [folder / f"{number}.parquet" for number in range(5)]
    callkit.to_parquet(df, paths[0])
    for path, use_dictionary in zip(paths[1:3], (True, False), strict=True):
        table = pq.read_table(paths[0])
        pq.write_table(table, path, compression="none", use_dictionary=use_dictionary)
    df.to_parquet(paths[3])
    df.to_parquet(paths[4], compression=None)
    return [path.read_bytes() for path in paths]


def _found(personal: set[bytes], files: list[bytes]) -> set[bytes]:
    return {value for value in personal if any(value in file for file in files)}


def test_categories_that_no_call_has_are_gone() -> None:
    frame = calls({"to": "+14155550123"}, {"to": "+442079460000"}).astype({"to": "category"})
    got = pseudonymise(frame.head(1), KEY)["to"]
    assert got.dtype == "str"
    assert got.tolist() == [Pseudonyms(KEY).of("+14155550123")]


@pytest.mark.parametrize("dtype", ["object", "string", "string[pyarrow]", "category", "str"])
def test_text_of_every_dtype_is_taken(dtype: str) -> None:
    frame = pd.DataFrame({"to": pd.Series(["client:amy", None, "client:amy"], dtype=dtype)})
    amy = Pseudonyms(KEY).of("client:amy")
    expected = pd.DataFrame({"to": pd.Series([amy, None, amy], dtype="str")})
    pd.testing.assert_frame_equal(pseudonymise(frame, KEY), expected)


@pytest.mark.parametrize("dtype", ["object", "float64", "category", "str"])
def test_a_column_without_a_value_is_text_without_one(dtype: str) -> None:
    frame = pd.DataFrame({"to": pd.Series([None, None], dtype=dtype)})
    expected = pd.DataFrame({"to": pd.Series([None, None], dtype="str")})
    pd.testing.assert_frame_equal(pseudonymise(frame, KEY), expected)


def test_columns_of_ones_own_stay_as_they_are() -> None:
    frame = calls({"to": "+14155550123"}).assign(phone="+14155550123", to_x="+14155550123")
    own = ["phone", "to_x"]
    pd.testing.assert_frame_equal(pseudonymise(frame, KEY)[own], frame[own])


def test_a_frame_without_parties_comes_back_as_it_is(df: pd.DataFrame) -> None:
    rest = df.drop(columns=[*PARTIES, *DROPPED])
    pd.testing.assert_frame_equal(pseudonymise(rest, KEY), rest)


def test_an_index_of_ones_own_stays(df: pd.DataFrame) -> None:
    got = pseudonymise(df.set_index("sid").iloc[::-1], KEY)
    assert got.index.tolist() == df["sid"].tolist()[::-1]


def test_columns_that_share_a_name_are_each_pseudonymised() -> None:
    frame = pd.concat([calls({"to": "client:amy"}), calls({"to": "client:bob"})[["to"]]], axis=1)
    names = Pseudonyms(KEY)
    got = pseudonymise(frame, KEY)["to"].to_numpy().tolist()
    assert got == [[names.of("client:amy"), names.of("client:bob")]]


def test_what_is_pseudonymised_already_is_refused(df: pd.DataFrame) -> None:
    with pytest.raises(FrameError, match="^Column 'from' already contains pseudonyms"):
        pseudonymise(pseudonymise(df, KEY), KEY)


ONE = {"to": ["+14155550123"]}


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pl.DataFrame(ONE),
            r"Expected a pandas DataFrame, not polars\.dataframe\.frame\.DataFrame\. .*to_pandas",
        ),
        (ONE, r"Expected a pandas DataFrame, not builtins\.dict\. .*callkit\.normalise"),
        (
            pd.DataFrame({"to": [14155550123]}),
            "Column 'to' has type int64: expected",
        ),
        (pd.DataFrame({"to": ["+1415", 1415]}, dtype=object), r"Column 'to' holds values of sev"),
        (pd.DataFrame({"to": ["\ud800"]}, dtype=object), r"Column 'to' holds values of several"),
        (pd.DataFrame(ONE).set_index("to"), r"'to' is the name of an index"),
        (
            pd.DataFrame(ONE).assign(n=1).pivot(columns="to", values="n"),
            r"'to' is the name of an index",
        ),
        (pd.DataFrame(ONE).groupby("to").agg({"to": ["min"]}), r"The columns have sever"),
    ],
)
def test_a_frame_that_cannot_be_pseudonymised_is_refused(frame: Any, message: str) -> None:
    with pytest.raises(FrameError, match=f"^{message}") as caught:
        pseudonymise(frame, KEY)
    assert "4155550123" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
