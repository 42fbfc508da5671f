"""The formats that calls are exported to: where each goes, how it is written, and read back.

CSV and JSON Lines, for whatever does not read Parquet, hold the same values: prices in fixed-point
decimals, which JSON gets as text, since its readers make floats of numbers; times by ISO 8601, in
UTC; durations as whole numbers of the API's own units; nothing, or null, for what is absent.
"""

import csv
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from pyarrow import types

from callkit.errors import ParquetError
from callkit.files.datasets import (
    Attributes,
    Write,
    check_folder_writable,
    month_files,
    parquet_file,
    writing_folder,
)
from callkit.files.dtypes import in_our_types
from callkit.files.parquet import read_parquet
from callkit.files.paths import check_writable, writing
from callkit.normaliser import table_to_frame

FormatName: TypeAlias = Literal["parquet", "csv", "jsonl"]
_SPREADSHEETS = (".xlsx", ".xls", ".ods")
_ENDINGS = tuple(f".{name}" for name in get_args(FormatName))
_ROW_AT_MOST = 1 << 24  # bytes; a call is of one answer, of which callkit takes 1 MiB at most


class Format(NamedTuple):
    """How calls get to where they are kept, and back.

    ``check`` refuses a place early; ``place`` gives a temporary one that takes its name at the end;
    ``written`` gives a function there that takes one table after the other; ``read`` makes a frame
    of what it wrote.
    """

    check: Callable[[Path], None]
    place: Callable[[Path], AbstractContextManager[Path]]
    written: Callable[[Path, pa.Schema, Attributes], AbstractContextManager[Write]]
    read: Callable[[Path, pa.Schema], pd.DataFrame]


def format_named(name: FormatName, path: Path, *, by_month: bool) -> Format:
    """Choose a format, and see that `path` does not promise another, or none of callkit's."""
    if name not in _FILES:
        raise ValueError(f"Invalid format {name!r}: expected {' or '.join(map(repr, _FILES))}")
    if by_month and name != "parquet":
        raise ValueError(f"by_month=True works with Parquet only, not with format={name!r}")
    ending = path.suffix.lower()
    if ending in _SPREADSHEETS:
        raise ParquetError(
            f"Cannot write the workbook {str(path)!r}: callkit writes .parquet, .csv and "
            ".jsonl. The page on Parquet in the documentation has a recipe for Excel"
        )
    if ending in _ENDINGS and ending != f".{name}":
        raise ParquetError(
            f"{str(path)!r} would contain {name}: pass format={ending[1:]!r} or change the "
            "file extension"
        )
    return _MONTHS if by_month else _FILES[name]


@contextmanager
def csv_file(path: Path, schema: pa.Schema, _attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` to a CSV file, one after the other.

    Lines end as RFC 4180 has it: the standard library quotes what its line ending holds, and a
    carriage return in a name would otherwise end a line for some readers.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\r\n")
        rows.writerow(schema.names)
        yield lambda table: rows.writerows(_plain_rows(table))


@contextmanager
def json_lines(path: Path, schema: pa.Schema, _attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` as JSON Lines, one after the other."""
    encode = msgspec.json.Encoder().encode_lines
    with path.open("wb") as file:

        def write(table: pa.Table) -> None:
            rows = _plain_rows(table)
            file.write(encode([dict(zip(schema.names, row, strict=True)) for row in rows]))

        yield write


def read_csv(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a file that :func:`csv_file` wrote."""
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=_block_size(path)),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=_plain_schema(schema), strings_can_be_null=True, null_values=[""]
        ),
    )
    return table_to_frame(in_our_types(table))


def read_json_lines(path: Path, schema: pa.Schema) -> pd.DataFrame:
    """Read a file that :func:`json_lines` wrote."""
    plain = _plain_schema(schema)
    if path.stat().st_size == 0:
        return table_to_frame(in_our_types(plain.empty_table()))
    table = pyarrow.json.read_json(
        path,
        read_options=pyarrow.json.ReadOptions(block_size=_block_size(path)),
        parse_options=pyarrow.json.ParseOptions(
            explicit_schema=plain, unexpected_field_behavior="error"
        ),
    )
    return table_to_frame(in_our_types(table))


def _block_size(path: Path) -> int:
    """Choose how many bytes Arrow reads at a time: no row may be longer than that."""
    return min(path.stat().st_size, _ROW_AT_MOST)


def _plain_rows(table: pa.Table) -> Iterator[tuple[str | int | None, ...]]:
    return zip(*map(_plain_values, table.columns), strict=True)


def _plain_values(column: pa.ChunkedArray) -> Any:
    if types.is_decimal(column.type):
        return [None if price is None else f"{price:f}" for price in column.to_pylist()]
    if types.is_timestamp(column.type):
        column = pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    elif types.is_duration(column.type):
        column = column.cast(pa.int64())
    return column.to_pylist()


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    def plain(kind: pa.DataType) -> pa.DataType:
        kind = kind.value_type if types.is_dictionary(kind) else kind
        return pa.int64() if types.is_duration(kind) else kind

    return pa.schema([field.with_type(plain(field.type)) for field in schema])


def _read_parquet(path: Path, schema: pa.Schema) -> pd.DataFrame:
    return read_parquet(path, columns=schema.names)


_FILES: dict[str, Format] = {
    "parquet": Format(check_writable, writing, parquet_file, _read_parquet),
    "csv": Format(check_writable, writing, csv_file, read_csv),
    "jsonl": Format(check_writable, writing, json_lines, read_json_lines),
}
_MONTHS = Format(check_folder_writable, writing_folder, month_files, _read_parquet)
