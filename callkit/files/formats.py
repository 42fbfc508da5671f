"""How tables are written to each format, one after the other, and read back from CSV and JSON."""

import csv
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet as pq

import callkit
from callkit.errors import ParquetError
from callkit.files.dtypes import in_our_types, is_text
from callkit.files.formulas import escaped, restored
from callkit.files.paths import KEY, NEVER_STARTED, PART
from callkit.forks import written_here_alone
from callkit.normaliser import table_to_frame
from callkit.schema import ARROW_TYPES, Kind

Write: TypeAlias = Callable[[pa.Table], None]
Attributes: TypeAlias = Callable[[], Mapping[Any, Any]]

NOT_FINAL = "callkit.not_final"  # in a file's footer: a JSON list of SIDs
ROWS = 4_096  # are gathered, so that small tables do not make tiny row groups
_LARGE = 1 << 25  # bytes that are not gathered any more
_EXPLAINED = (b"description", b"unit", b"personal")
_BLOCK = 1 << 24  # bytes that Arrow reads at a time: more than a row, of one answer, can have
_PLAIN = {
    ARROW_TYPES[Kind.CATEGORY]: pa.string(),
    ARROW_TYPES[Kind.SECONDS]: pa.int64(),
    ARROW_TYPES[Kind.MILLISECONDS]: pa.int64(),
}


@contextmanager
def parquet_file(
    path: Path, schema: pa.Schema, attributes: Attributes, not_final: Sequence[str] | None = None
) -> Iterator[Write]:
    """Give a function that writes tables to a file, small ones together in a row group.

    `attributes`, and the SIDs of calls that are `not_final`, are asked for at the end.
    """
    with (
        written_here_alone(path.open("wb")) as raw,  # Arrow refuses a name that is not UTF-8
        pq.ParquetWriter(raw, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        gathered: list[pa.Table] = []

        def write(table: pa.Table) -> None:
            gathered.append(table)
            size = sum(each.nbytes for each in gathered)
            if sum(map(len, gathered)) >= ROWS or size >= _LARGE:
                write_gathered()

        def write_gathered() -> None:
            writer.write_table(pa.concat_tables(gathered).unify_dictionaries().combine_chunks())
            gathered.clear()

        yield write
        if gathered:
            write_gathered()
        writer.add_key_value_metadata(_footer(attributes().get("callkit"), schema))
        if not_final is not None:
            writer.add_key_value_metadata({NOT_FINAL: json.dumps(not_final)})


@contextmanager
def month_files(
    folder: Path,
    schema: pa.Schema,
    attributes: Attributes,
    are_final: Callable[[pa.Table], Sequence[bool]] | None = None,
) -> Iterator[Write]:
    """Give a function that deals the calls of a table out to the Parquet files of their months.

    That of calls never started always exists: without files, a dataset would have no columns.
    With `are_final`, which says for each call of a table whether its record was final when it was
    fetched, each file lists the SIDs of the others, so that an update can fetch them again.
    """
    _check_columns(schema)
    writes: dict[str, Write] = {}
    not_final: dict[str, list[str]] = defaultdict(list)
    with ExitStack() as stack:

        def write(month: str, table: pa.Table) -> None:
            if month not in writes:
                place = folder / f"{KEY}={month}"
                place.mkdir()
                noted = None if are_final is None else not_final[month]
                file = parquet_file(place / PART, schema, attributes, noted)
                writes[month] = stack.enter_context(file)
            writes[month](table)

        def deal_out(table: pa.Table) -> None:
            months = months_of(table)
            for month in pc.unique(months).to_pylist():
                rows = table.filter(pc.equal(months, month))
                if are_final is not None:
                    final = pa.array(are_final(rows), pa.bool_())
                    not_final[month] += rows["sid"].filter(pc.invert(final)).to_pylist()
                write(month, rows)

        write(NEVER_STARTED, schema.empty_table())
        yield deal_out


def months_of(table: pa.Table) -> pa.ChunkedArray:
    """Name the month in which each call started, in UTC."""
    started = table["start_time"].cast(pa.timestamp("us"))  # without its zone, it is read as UTC
    return pc.fill_null(pc.strftime(started, "%Y-%m"), NEVER_STARTED)


@contextmanager
def csv_file(
    path: Path, schema: pa.Schema, _attributes: Attributes, *, escape_formulas: bool = False
) -> Iterator[Write]:
    """Give a function that writes tables of `schema` to a CSV file."""
    with (
        written_here_alone(path.open("wb")) as file,
        csv_rows(file, schema, escape_formulas=escape_formulas) as write,
    ):
        yield write


@contextmanager
def csv_rows(
    file: IO[bytes], schema: pa.Schema, *, escape_formulas: bool = False
) -> Iterator[Write]:
    """Give a function that writes tables of `schema` as CSV.

    Lines end as RFC 4180 has it: the standard library quotes what its line ending holds, and a
    carriage return in a name would otherwise end a line for some readers.
    """
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    rows = csv.writer(text, lineterminator="\r\n")
    rows.writerow(schema.names)
    try:
        plain = _plain_rows_without_formulas if escape_formulas else _plain_rows
        yield lambda table: rows.writerows(plain(table))
    finally:
        text.detach()  # flushes, and leaves the file open


@contextmanager
def json_lines(path: Path, schema: pa.Schema, _attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` to a file of JSON Lines."""
    with written_here_alone(path.open("wb")) as file, json_rows(file, schema) as write:
        yield write


@contextmanager
def json_rows(file: IO[bytes], schema: pa.Schema) -> Iterator[Write]:
    """Give a function that writes tables of `schema` as JSON Lines."""
    encode = msgspec.json.Encoder().encode_lines

    def write(table: pa.Table) -> None:
        rows = _plain_rows(table)
        file.write(encode([dict(zip(schema.names, row, strict=True)) for row in rows]))

    yield write


def read_csv(path: Path, schema: pa.Schema, *, escaped_formulas: bool = False) -> pd.DataFrame:
    table = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK),
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=_plain_schema(schema), strings_can_be_null=True, null_values=[""]
        ),
    )
    return table_to_frame(in_our_types(restored(table) if escaped_formulas else table))


def read_json_lines(path: Path, schema: pa.Schema) -> pd.DataFrame:
    plain = _plain_schema(schema)
    table = plain.empty_table()
    if path.stat().st_size:
        table = pyarrow.json.read_json(
            path,
            read_options=pyarrow.json.ReadOptions(block_size=_BLOCK),
            parse_options=pyarrow.json.ParseOptions(
                explicit_schema=plain, unexpected_field_behavior="error"
            ),
        )
    return table_to_frame(in_our_types(table))


def _footer(said: object, schema: pa.Schema) -> dict[str, str]:
    """Make metadata for other tools: callkit's part of `df.attrs`, and what the columns mean."""
    columns = {
        field.name: {
            key.decode(): field.metadata[key].decode()
            for key in _EXPLAINED
            if key in field.metadata
        }
        for field in schema
        if field.metadata
    }
    own: dict[Any, Any] = {"version": callkit.__version__}
    try:
        attributes = json.dumps({**own, **said} if isinstance(said, dict) else own)
    except (TypeError, ValueError):  # callkit itself writes nothing but JSON there
        attributes = json.dumps(own)
    return {"callkit": attributes, "callkit.columns": json.dumps(columns, ensure_ascii=False)}


def _check_columns(schema: pa.Schema) -> None:
    if "start_time" not in schema.names:
        raise ParquetError(
            "by_month=True needs the column 'start_time'. Available columns: "
            f"{', '.join(schema.names) or 'none'}"
        )
    if KEY in schema.names:
        raise ParquetError(
            f"by_month=True uses {KEY!r} in folder names, so no column can have that name: "
            "rename it"
        )


def _plain_rows(table: pa.Table) -> Iterator[tuple[str | int | None, ...]]:
    return zip(*map(_plain_values, table.columns), strict=True)


def _plain_rows_without_formulas(table: pa.Table) -> Iterator[tuple[str | int | None, ...]]:
    """Give plain rows in which no text is a formula; prices, which are numbers, keep their sign."""
    columns = [
        map(escaped, values) if is_text(column.type) else values
        for column, values in zip(table.columns, map(_plain_values, table.columns), strict=True)
    ]
    return zip(*columns, strict=True)


def _plain_values(column: pa.ChunkedArray) -> Any:
    if pa.types.is_decimal(column.type):
        return [None if price is None else f"{price:f}" for price in column.to_pylist()]
    if pa.types.is_timestamp(column.type):
        # With microseconds only where there are any: they are the exception.
        column = pc.strftime(column.cast(pa.timestamp("us")), "%Y-%m-%dT%H:%M:%SZ")
        column = pc.replace_substring(column, ".000000Z", "Z")
    elif pa.types.is_duration(column.type):
        column = column.cast(pa.int64())
    return column.to_pylist()


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_type(_PLAIN.get(field.type, field.type)) for field in schema])
