"""Calls → a dataset of one Parquet file a month, in folders that other tools know as partitions."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from callkit.errors import ParquetError
from callkit.files import replacing
from callkit.parquet.writers import parquet_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit.parquet.writers import Attributes, Write

__all__ = ["KEY", "NEVER_STARTED", "PART", "month_files"]

KEY = "month"
NEVER_STARTED = "none"
PART = "part-0.parquet"

_ROWS = 4_096  # of one month are gathered, lest many small batches make a file of crumbs


@contextmanager
def month_files(folder: Path, schema: pa.Schema, attributes: Attributes) -> Iterator[Write]:
    """Give a function that deals the calls of a table out to the files of their months.

    Calls never started have one of their own. It is always there, since without any file a dataset
    of no calls would have no columns.
    """
    _check_columns(schema)
    with ExitStack() as stack:

        def opened(month: str) -> Write:
            place = folder / f"{KEY}={month}"
            place.mkdir()
            part = stack.enter_context(replacing(place / PART))
            write = stack.enter_context(parquet_file(part, schema, attributes))
            return stack.enter_context(_gathered(write, schema))

        writes = {NEVER_STARTED: opened(NEVER_STARTED)}

        def deal_out(table: pa.Table) -> None:
            months = _months(table)
            for month in pc.unique(months).to_pylist():
                if month not in writes:
                    writes[month] = opened(month)
                writes[month](table.filter(pc.equal(months, month)))

        yield deal_out


@contextmanager
def _gathered(write: Write, schema: pa.Schema) -> Iterator[Write]:
    """Hand tables on to `write` some thousand rows at a time, and the rest at the end."""
    nothing = held = schema.empty_table()

    def gather(table: pa.Table) -> None:
        nonlocal held
        held = _joined(held, table) if held else table
        if len(held) >= _ROWS:
            write(held)
            held = nothing

    yield gather
    write(held)


def _joined(first: pa.Table, second: pa.Table) -> pa.Table:
    return pa.concat_tables([first, second]).unify_dictionaries().combine_chunks()


def _months(table: pa.Table) -> pa.ChunkedArray:
    """Say for each call in which month it started, in UTC."""
    started = table.column("start_time").cast(pa.timestamp("us"))
    return pc.fill_null(pc.strftime(started, "%Y-%m"), NEVER_STARTED)


def _check_columns(schema: pa.Schema) -> None:
    if "start_time" not in schema.names:
        raise ParquetError(
            "a dataset by month needs the column 'start_time', which says when calls started; "
            f"there is {', '.join(schema.names) or 'no column'}"
        )
    if KEY in schema.names:
        raise ParquetError(
            f"a dataset by month has its folders say the {KEY!r}, so no column may: rename it"
        )
