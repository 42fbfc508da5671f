from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import InvalidSidError, SidListError
from callkit.sids import CallKey, read_sids

if TYPE_CHECKING:
    from collections.abc import Callable

    from callkit.sids import SidSource

ONE, TWO, THREE = (f"CA{digit * 32}" for digit in "abc")
ACCOUNT = "AC" + "1" * 32
BOTH = [CallKey(ONE, None), CallKey(TWO, None)]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        pd.Series,
        pd.Index,
        pl.Series,
        dict.fromkeys,
        lambda sids: pd.DataFrame({"sid": sids}),
        lambda sids: pd.Series(sids, index=[9, 9], dtype="category"),
    ],
    ids=["list", "tuple", "Series", "Index", "Polars", "dict keys", "frame", "category"],
)
def test_a_list_is_whatever_holds_sids(make: Callable[[list[str]], SidSource]) -> None:
    assert read_sids(make([ONE, TWO])) == BOTH


def test_each_call_stands_where_it_was_first_mentioned() -> None:
    assert [key.sid for key in read_sids([TWO, ONE, TWO, THREE, ONE])] == [TWO, ONE, THREE]


def test_spreadsheets_upper_case_is_the_same_sid() -> None:
    assert read_sids([ONE.upper(), ONE]) == [CallKey(ONE, None)]


def test_an_empty_list_is_a_list() -> None:
    assert read_sids([]) == []


def test_a_generator_is_read_as_it_is_needed() -> None:
    def sids() -> object:
        yield ONE
        raise AssertionError

    assert next(iter(read_sids(sids()))) == CallKey(ONE, None)  # type: ignore[arg-type]


def test_a_generator_names_its_malformed_entry_where_it_is_met() -> None:
    keys = iter(read_sids(iter([ONE, "nonsense"])))
    next(keys)
    with pytest.raises(InvalidSidError, match="Entry 2, 'nonsense', is not a Call SID"):
        next(keys)


def test_a_frame_may_say_whose_calls_they_are() -> None:
    frame = pd.DataFrame({"sid": [ONE, TWO, THREE], "account_sid": [ACCOUNT, None, math.nan]})
    assert read_sids(frame) == [CallKey(ONE, ACCOUNT), CallKey(TWO, None), CallKey(THREE, None)]


def test_an_account_that_is_none_is_refused() -> None:
    frame = pd.DataFrame({"sid": [ONE], "account_sid": ["../Keys"]})
    with pytest.raises(InvalidSidError, match=r"row 1 has an invalid account SID '\.\./Keys'"):
        read_sids(frame)


@pytest.mark.parametrize(
    "entry",
    [
        "CA1",
        ONE + "0",
        ONE + "\n",
        " " + ONE,
        "ca" + "a" * 32,
        "CA" + "g" * 32,
        "CA" + "٤" * 32,
        math.nan,
        None,
        pd.NA,
        7,
        ONE.encode(),
        "",
    ],
    ids=repr,
)
def test_what_is_no_sid_is_refused_and_named(entry: object) -> None:
    with pytest.raises(InvalidSidError, match="1 of 3 entries .* entry 2: ") as caught:
        read_sids([ONE, entry, TWO])
    assert repr(entry)[:30] in str(caught.value)


def test_only_the_first_few_of_many_malformed_are_named() -> None:
    with pytest.raises(InvalidSidError, match="1,000 of 1,000 .* entry 5: 4, and 995 more"):
        read_sids(range(1000))


def test_one_malformed_among_two_million_is_found_at_once() -> None:
    sids: list[str] = [f"CA{number:032x}" for number in range(2_000_000)]
    sids[1_234_567] = "CA1"
    began = time.monotonic()
    with pytest.raises(InvalidSidError, match="1 of 2,000,000 .* entry 1234568: 'CA1'"):
        read_sids(sids)
    assert time.monotonic() - began < 60  # a hang, not a speed


def test_a_text_file_has_a_sid_a_line(tmp_path: Path) -> None:
    path = tmp_path / "sids.txt"
    path.write_text(f"\ufeff{ONE}\r\n\r\n  {TWO}  \n", encoding="utf-8")
    assert read_sids(path) == BOTH
    assert read_sids(str(path)) == BOTH


def test_a_text_files_malformed_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "sids.txt"
    path.write_text(f"{ONE}\n\n\nnonsense\n")
    with pytest.raises(InvalidSidError, match="line 4: 'nonsense'"):
        read_sids(path)


@pytest.mark.parametrize(("suffix", "separator"), [(".csv", ","), (".tsv", "\t"), (".CSV", ",")])
def test_a_csv_file_has_a_sid_column(tmp_path: Path, suffix: str, separator: str) -> None:
    path = tmp_path / f"sids{suffix}"
    rows = [("note", "sid", "account_sid"), ("x", ONE, ACCOUNT), ("y", TWO, "")]
    path.write_text("\n".join(separator.join(row) for row in rows))
    assert read_sids(path) == [CallKey(ONE, ACCOUNT), CallKey(TWO, None)]


def test_a_comma_at_the_end_of_each_row_moves_no_column(tmp_path: Path) -> None:
    path = tmp_path / "sids.csv"
    path.write_text(f"note,sid\nx,{ONE},\ny,{TWO},\n")
    assert read_sids(path) == BOTH


def test_a_csv_file_may_quote_and_have_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "sids.csv"
    path.write_text(f'\ufeff\n"note","sid"\n\n"x, y\nz",{ONE}\n\n"",{TWO}\n', encoding="utf-8")
    assert read_sids(path) == BOTH


def test_an_empty_cell_of_a_csv_file_is_malformed(tmp_path: Path) -> None:
    path = tmp_path / "sids.csv"
    path.write_text(f"note,sid\nx,{ONE}\ny,\n")
    with pytest.raises(InvalidSidError, match="row 2: ''"):
        read_sids(path)


def test_a_parquet_file_has_a_sid_column(tmp_path: Path) -> None:
    path = tmp_path / "sids.parquet"
    pd.DataFrame({"sid": [ONE, TWO], "other": [1, 2]}).to_parquet(path)
    assert read_sids(path) == BOTH


def test_sids_may_be_the_index_that_pandas_wrote(tmp_path: Path) -> None:
    path = tmp_path / "sids.parquet"
    frame = pd.DataFrame({"sid": [ONE, TWO], "account_sid": [ACCOUNT, None]}).set_index("sid")
    frame.to_parquet(path)
    expected = [CallKey(ONE, ACCOUNT), CallKey(TWO, None)]
    assert (read_sids(path), read_sids(frame)) == (expected, expected)


def test_a_parquet_file_may_be_named_like_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"sid": [ONE, TWO]}).to_parquet(tmp_path / "plain.parquet")
    (tmp_path / "plain.parquet").rename(tmp_path / "s3:\udcff.parquet")
    assert read_sids("s3:\udcff.parquet") == BOTH


def test_what_pandas_wrote_of_itself_may_be_damaged(tmp_path: Path) -> None:
    table = pa.table({"sid": [ONE, TWO]}).replace_schema_metadata({"pandas": '{"columns'})
    pq.write_table(table, tmp_path / "sids.parquet")
    assert read_sids(tmp_path / "sids.parquet") == BOTH


def test_a_flipped_bit_in_a_page_with_a_checksum_is_found(tmp_path: Path) -> None:
    path = tmp_path / "sids.parquet"
    pq.write_table(
        pa.table({"sid": [ONE, TWO]}), path, compression="none", write_page_checksum=True
    )
    path.write_bytes(path.read_bytes().replace(ONE.encode(), ONE[:-1].encode() + b"7"))
    with pytest.raises(SidListError, match="could not verify page integrity"):
        read_sids(path)


def test_an_index_of_what_is_no_unicode_is_malformed() -> None:
    with pytest.raises(InvalidSidError, match=r"row 1: '\\ud800'"):
        read_sids(pd.DataFrame(index=pd.Index(["\ud800"], name="sid", dtype=object)))


def test_a_path_that_is_no_unicode_is_none() -> None:
    with pytest.raises(SidListError, match="Invalid path .*: 'utf-8' codec can't encode"):
        read_sids("\ud800")


def test_half_a_byte_order_mark_is_no_empty_list(tmp_path: Path) -> None:
    (tmp_path / "sids.txt").write_bytes(b"\xef")
    with pytest.raises(SidListError, match="is not UTF-8 text"):
        read_sids(tmp_path / "sids.txt")


def test_a_long_name_of_a_column_is_cut(tmp_path: Path) -> None:
    (tmp_path / "sids.csv").write_text("x" * 100_000)
    with pytest.raises(
        SidListError, match=r"has no column 'sid'. Available columns: 'x+\.\.\.$"
    ) as caught:
        read_sids(tmp_path / "sids.csv")
    assert len(str(caught.value)) < 300


def test_a_complaint_of_many_lines_is_told_in_one(tmp_path: Path) -> None:
    path = tmp_path / "sids.parquet"
    pq.write_table(pa.table({"sid": [ONE, TWO]}), path)
    octets = path.read_bytes()
    path.write_bytes(octets[:4] + b"\xff" * 20 + octets[24:])
    with pytest.raises(SidListError) as caught:
        read_sids(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["sid", "account_sid"])
def test_a_column_that_is_there_twice_is_refused(tmp_path: Path, name: str) -> None:
    names = ["sid", "account_sid", name]
    sentence = f"has 2 columns named '{name}': keep one"
    with pytest.raises(SidListError, match=f"the frame {sentence}"):
        read_sids(pd.DataFrame([[ONE] * len(names)], columns=names))
    pq.write_table(pa.table([pa.array([ONE])] * len(names), names), tmp_path / "sids.parquet")
    (tmp_path / "sids.csv").write_text(",".join(names) + "\n" + ",".join([ONE] * len(names)))
    for path in (tmp_path / "sids.parquet", tmp_path / "sids.csv"):
        with pytest.raises(SidListError, match=sentence):
            read_sids(path)


def test_columns_of_several_levels_have_no_sid() -> None:
    columns = pd.MultiIndex.from_tuples([("sid", "a"), ("sid", "b")])
    with pytest.raises(
        SidListError, match=r"has no column 'sid'. Available columns: \('sid', 'a'\)"
    ):
        read_sids(pd.DataFrame([[ONE, TWO]], columns=columns))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.txt", None, "Cannot read the SID list .*: No such file"),
        ("folder", "folder", "Cannot read the SID list .*: Is a directory"),
        ("binary.txt", b"\xff\xfe\x00", "is not UTF-8 text"),
        ("fake.parquet", b"not parquet at all", "is not a Parquet file"),
        ("other.csv", b"a,b\n1,2\n", "has no column 'sid'. Available columns: 'a', 'b'"),
        ("empty.csv", b"", "is empty"),
        ("binary.csv", b"\xff\xfe\x00", "is not a CSV file"),
        ("open.csv", b'sid\n"CA', "is not a CSV file"),
        ("long.csv", b"note,sid\nx,y,z\n", "has 3 cells in row 1, but 2 columns"),
        ("semicolons.csv", b"sid;note\nx;y\n", "separator seems to be ';', not ','"),
        ("quoted.csv", b'"note";"sid"\n"x";"y"\n', "separator seems to be ';'"),
        ("tabs.csv", b"note\tsid\nx\ty\n", r"separator seems to be '\\t'"),
        ("commas.tsv", b"sid,note\nx,y\n", r"separator seems to be ',', not '\\t'"),
        ("a\0b.txt", None, "Invalid path .*: it contains a NUL character"),
        ("a\0b.csv", None, "Invalid path .*: it contains a NUL character"),
    ],
)
def test_an_unreadable_file_is_told_in_one_sentence(
    tmp_path: Path, name: str, content: bytes | str | None, sentence: str
) -> None:
    path = tmp_path / name
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises(SidListError, match=sentence) as caught:
        read_sids(path)
    assert "\n" not in str(caught.value)


def test_one_bare_sid_is_a_path_and_says_so() -> None:
    with pytest.raises(SidListError, match="found the single SID .*: put it in a list"):
        read_sids(ONE)


def test_a_frame_without_sids_names_what_it_has() -> None:
    with pytest.raises(SidListError, match="the frame has no column 'sid'. Available columns: 'a'"):
        read_sids(pd.DataFrame({"a": [1]}))


@pytest.mark.parametrize(
    "frame",
    [pl.DataFrame({"sid": [ONE]}), pl.LazyFrame({"sid": [ONE]}), pa.table({"sid": [ONE]})],
    ids=["Polars", "lazy Polars", "Arrow"],
)
def test_another_librarys_frame_is_told_what_to_pass(frame: SidSource) -> None:
    name = type(frame).__name__
    with pytest.raises(SidListError, match=rf"from a [a-z.]+\.{name}: pass its column \['sid'\]"):
        read_sids(frame)


@pytest.mark.parametrize(
    ("entry", "named"),
    [([ONE], "a list"), (pl.Series([ONE] * 9), r"a polars\S+Series"), ({ONE: TWO}, "a dict")],
    ids=["list", "Series", "dict"],
)
def test_a_list_in_a_list_is_named_by_what_it_is(entry: object, named: str) -> None:
    with pytest.raises(InvalidSidError, match=f"entry 2: {named}$"):
        read_sids([ONE, entry])


@pytest.mark.parametrize("source", [None, 7, b"CA"])
def test_what_is_no_list_is_refused(source: object) -> None:
    with pytest.raises(SidListError, match="Expected a SID list as a list, Series"):
        read_sids(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", ["none.txt", ["nonsense"], 17, pd.DataFrame({"a": [1]})])
@pytest.mark.parametrize("fetch", [callkit.to_frame, callkit.collect])
def test_a_wrong_list_shows_few_frames_and_one_error(fetch: Any, wrong: Any) -> None:
    with pytest.raises((SidListError, InvalidSidError)) as caught:
        fetch(wrong)
    package = Path(callkit.__file__).parent
    frames = [entry for entry in caught.traceback if package in Path(entry.path).parents]
    assert len(frames) <= 4
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


class Rows:
    """Rows of a database, read one by one; they have columns, as SQLAlchemy's do."""

    def __iter__(self) -> Rows:
        return self

    def __next__(self) -> tuple[str]:
        raise StopIteration

    def columns(self) -> None:
        pass


def test_rows_with_columns_are_no_list_of_sids() -> None:
    with pytest.raises(SidListError, match="Cannot read a SID list from a .*Rows: pass its column"):
        read_sids(Rows())
