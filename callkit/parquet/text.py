"""Calls → CSV or JSON Lines, and back: for whatever does not read Parquet.

Both hold the same values: prices in fixed-point decimals, which JSON gets as text, since its
readers make floats of numbers; times by ISO 8601, in UTC; durations as whole numbers of the API's
own units; nothing, or null, for what is absent.
"""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
from pyarrow import types

from callkit.normalise import table_to_frame
from callkit.parquet.columns import in_our_types

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from callkit.parquet.writers import Attributes, Write

__all__ = ["csv_file", "json_lines", "read_csv", "read_json_lines"]

_ROW_AT_MOST = 1 << 24  # bytes; a call is of one answer, of which callkit takes 1 MiB at most


@contextmanager
def csv_file(path: Path, schema: pa.Schema, _attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` to a CSV file, one after the other.

    Lines end as RFC 4180 has it: the standard library quotes what its line ending holds, and a
    carriage return in a name would otherwise end a line for some readers.
    """
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\r\n")
        rows.writerow(schema.names)
        yield lambda table: rows.writerows(zip(*_plain_columns(table), strict=True))


@contextmanager
def json_lines(path: Path, schema: pa.Schema, _attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` as JSON Lines, one after the other."""
    encode = msgspec.json.Encoder().encode_lines
    with path.open("wb") as file:

        def write(table: pa.Table) -> None:
            rows = zip(*_plain_columns(table), strict=True)
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


def _plain_columns(table: pa.Table) -> list[list[str | int | None]]:
    return [_plain_values(column) for column in table.columns]


def _plain_values(column: pa.ChunkedArray) -> list[str | int | None]:
    kind = column.type
    if types.is_decimal(kind):
        return [None if price is None else f"{price:f}" for price in column.to_pylist()]
    if types.is_timestamp(kind):
        column = pc.strftime(column.cast(pa.timestamp("s")), "%Y-%m-%dT%H:%M:%SZ")
    elif types.is_duration(kind):
        column = column.cast(pa.int64())
    values: list[str | int | None] = column.to_pylist()
    return values


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(_plain_type(field.type)) for field in schema])


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if types.is_dictionary(kind):
        return kind.value_type
    return pa.int64() if types.is_duration(kind) else kind
