"""Parquet files that claim what nobody wrote: one sentence, soon, and without taking memory."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

import callkit
from callkit.errors import InvalidSidError, ParquetError, SidListError
from callkit.files.scanning import not_final_in, read_metadata
from callkit.sids import read_sids
from tests.support.crafted import element, file_of, footer, page, plain_column, table_file

if TYPE_CHECKING:
    from pathlib import Path

SIDS = pa.table({"sid": ["CA" + "0" * 32]})
A_COLUMN = [element("root", 1), element("sid")]
VALUE = b"\4\0\0\0abcd"


def zeros(size: int) -> bytes:
    return bytes(pa.compress(bytes(size), codec="zstd", asbytes=True))


CRAFTED = {
    "nested groups": file_of(
        footer([element("root", 1), *[element("a", 1)] * 10_000, element("sid")])
    ),
    "columns": file_of(footer([element("root", 30_000), *[element("sid")] * 30_000])),
    "children": file_of(footer([element("root", 2**31 - 1), element("sid")])),
    "nested structs": file_of(b"\x1c" * 1_000_000),
    "nested lists": file_of(b"\x15\x04\xe9" + b"\x19" * 1_000_000),
    "rows without groups": file_of(footer(A_COLUMN, 2**60)),
    "groups of rows": file_of(footer(A_COLUMN, 0, [b"\x19\x0c\x16\0\x16\0\0"] * 30_000)),
    "rows in a group": plain_column(page(1, VALUE), 2**60),
    "fewer rows than claimed": plain_column(page(1, VALUE), 1_000),
    "values in a page": plain_column(page(2**31 - 1, VALUE), 1),
    "a value's length": plain_column(page(1, b"\xff\xff\xff\x7fabcd"), 1),
    "pages that inflate": plain_column(
        page(2**26, zeros(2**28), inflated=2**28) * 40, 40 * 2**26, compressed=True
    ),
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.parquet"


def refusal(path: Path) -> str:
    with pytest.raises(ParquetError) as caught:
        callkit.read_parquet(path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    return str(caught.value)


def note(dtype: bytes, values: list[object]) -> bytes:
    array = pa.array(values)
    field = pa.field("mine", array.type, metadata={"dtype": dtype})
    return table_file(pa.Table.from_arrays([array], schema=pa.schema([field])))


def instant(kind: pa.DataType, value: int) -> pa.Table:
    stored = struct.pack("<q" if kind.bit_width == 64 else "<i", value)
    return pa.table({"mine": pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(stored)])})


@pytest.mark.parametrize("crafted", CRAFTED.values(), ids=CRAFTED.keys())
def test_a_footer_or_page_that_lies_is_refused(crafted: bytes, path: Path) -> None:
    path.write_bytes(crafted)
    refusal(path)
    with pytest.raises((SidListError, InvalidSidError)):
        list(read_sids(path))


def test_metadata_of_a_hundred_megabytes_is_not_read(path: Path) -> None:
    path.write_bytes(file_of(footer(A_COLUMN, said=b"[" * 100_000_000)))
    assert "its footer has 100,000,0" in refusal(path)


def test_the_rows_that_a_file_claims_are_compared_with_those_it_has(path: Path) -> None:
    path.write_bytes(CRAFTED["fewer rows than claimed"])
    assert "it claims 1,000 rows, but contains 1" in refusal(path)


@pytest.mark.parametrize(
    "said",
    [
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a":' + "[" * 400 + "]" * 400 + "}",
        '{"a":' + "9" * 100_000 + "}",
    ],
    ids=["lists", "objects", "lists that Python decodes", "digits"],
)
def test_metadata_of_absurd_depth_is_called_damaged(said: str, path: Path) -> None:
    path.write_bytes(table_file(SIDS, {"callkit": said}))
    assert "its metadata 'callkit' is not a JSON object" in refusal(path)
    with pytest.raises(ParquetError, match="is not a JSON object"):
        read_metadata(path)


def test_a_list_of_calls_not_final_of_absurd_depth_is_called_damaged(path: Path) -> None:
    path.write_bytes(table_file(SIDS, {"callkit.not_final": "[" * 100_000}))
    with pytest.raises(ParquetError, match="is not a JSON list of SIDs"):
        not_final_in(path)


def test_years_that_nobody_lives_in_are_no_coverage(path: Path) -> None:
    said = {"as_of_first": "99999-01-01", "started": ["0000-01-01", "10000-01-01"]}
    path.write_bytes(table_file(SIDS, {"callkit": json.dumps(said)}))
    assert len(callkit.read_parquet(path)) == 1


@pytest.mark.parametrize(
    "dtype",
    [
        *("S1000000000", "V1000000000", "complex256", "(100000,100000)i4", "i4,(1000,1000)f8"),
        *("interval[int64, right]", "interval[" * 500, "Sparse[" * 500, "datetime64[as]"),
        *("decimal128(76,3)[pyarrow]", "large_list<int64>[pyarrow]", "timestamp[as][pyarrow]"),
        *("datetime64[ns, dateutil//dev/zero]", "datetime64[ns, Europe]", "datetime64[ns, ../x]"),
        *("", "geometry", "9" * 100_000),
    ],
)
def test_a_dtype_that_nobody_writes_is_not_restored(dtype: str, path: Path) -> None:
    path.write_bytes(note(json.dumps(dtype).encode(), ["a", "b"]))
    assert "Cannot restore column 'mine' to" in refusal(path)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"names":["a"],"formats":["S1000000000"]}', b"[]", b"\xff", b"{}"]
)
def test_a_note_that_is_no_dtype_is_not_restored(text: bytes, path: Path) -> None:
    path.write_bytes(note(text, ["a", "b"]))
    assert "Cannot restore column 'mine' to" in refusal(path)


@pytest.mark.parametrize("zone", ["dateutil//dev/zero", "Europe", "../../etc/passwd", "x" * 5_000])
def test_a_time_zone_that_is_none_is_named(zone: str, path: Path) -> None:
    path.write_bytes(table_file(pa.table({"mine": pa.array([0], pa.timestamp("us", zone))})))
    assert "Column 'mine' has an unknown time zone" in refusal(path)


def test_a_year_beyond_pandas_is_named(path: Path) -> None:
    path.write_bytes(table_file(instant(pa.date64(), 86_400_000 * 10**10)))
    assert "year" in refusal(path)


@pytest.mark.parametrize("name", ["start_time", "mine"])
@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800, 2**42])
def test_a_time_that_pandas_cannot_show_is_named(name: str, seconds: int, path: Path) -> None:
    times = instant(pa.timestamp("us", "UTC"), seconds * 10**6).rename_columns([name])
    path.write_bytes(table_file(times))
    assert f"Column '{name}' has a time that is not in the years 1 to 9999" in refusal(path)


@pytest.mark.parametrize("seconds", [-62_135_596_800, 253_402_300_799])
def test_the_first_and_the_last_second_of_the_calendar_are_read(seconds: int, path: Path) -> None:
    path.write_bytes(table_file(instant(pa.timestamp("us", "UTC"), seconds * 10**6)))
    assert "mine" in repr(callkit.read_parquet(path))


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_a_year_beyond_pandas_in_a_list_of_sids_is_named(kind: pa.DataType, path: Path) -> None:
    days = instant(kind, 86_400_000 * 10**10 if kind.bit_width == 64 else 2**31 - 1)
    path.write_bytes(table_file(days.append_column("sid", SIDS["sid"])))
    with pytest.raises(SidListError):
        callkit.to_frame(path, date_column="mine")
