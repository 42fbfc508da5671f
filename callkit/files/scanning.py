"""Files of calls read some thousand rows at a time, and which of their calls are not final."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from callkit.cache.store import final_rows
from callkit.files.footers import attributes_in, outermost_as_of, sids_in
from callkit.files.formats import NOT_FINAL
from callkit.files.paths import file_errors
from callkit.parquet_files import opened

call_sid, account_sid, start_time = map(ds.field, ("sid", "account_sid", "start_time"))

_JUDGED = ("sid", "status", "end_time", "date_updated", "price")
_NEVER = datetime(1, 1, 1, tzinfo=UTC)  # fetched then, no call had ended long before
_BATCH = 16_384  # rows, of some kilobytes each


def one_of(field: ds.Expression, values: Iterable[str]) -> ds.Expression:
    return field.isin(pa.array(values, pa.string()))


class Metadata(NamedTuple):
    schema: pa.Schema
    attributes: dict[str, Any]
    not_final: list[str] | None


def not_final_in(path: Path) -> list[str]:
    """List the calls that a file names as not final, or judge those of one that names none."""
    _, attributes, not_final = read_metadata(path)
    if not_final is not None:
        return not_final
    as_of = outermost_as_of([attributes]).get("as_of_first")
    moment = _NEVER if as_of is None else datetime.fromisoformat(as_of)
    sids: list[str] = []
    for table in rows_of(path, None, _JUDGED):
        final = pa.array(final_rows(table, [moment] * len(table)), pa.bool_())
        sids += table["sid"].filter(pc.invert(final)).to_pylist()
    return sids


def read_metadata(path: Path) -> Metadata:
    with _opened(path) as file:
        written = file.metadata.metadata or {}
        schema = file.schema_arrow
    not_final = written.get(NOT_FINAL.encode())
    return Metadata(
        schema,
        attributes_in(written.get(b"callkit", b"{}"), path),
        None if not_final is None else sids_in(not_final, path),
    )


@contextmanager
def _opened(path: Path) -> Iterator[pq.ParquetFile]:
    with (
        file_errors(path, "cannot be read"),
        # Buffering ahead would hold all row groups of the file.
        opened(path, pre_buffer=False) as file,
    ):
        yield file


def rows_of(
    path: Path | None, wanted: ds.Expression | None, columns: Sequence[str]
) -> Iterator[pa.Table]:
    """Yield some rows of a file, if there is one, as they come, some thousand at a time."""
    if path is None:
        return
    with _opened(path) as file:
        groups = _groups(path, wanted)
        needed = columns if wanted is None else {*columns, "sid", "account_sid", "start_time"}
        for batch in file.iter_batches(_BATCH, groups, list(needed)):
            table = pa.Table.from_batches([batch])
            if wanted is not None:
                table = table.filter(wanted)
            if len(table):
                yield table.select(columns)


def _groups(path: Path, wanted: ds.Expression | None) -> list[int]:
    """Choose the row groups that can have such rows, by their statistics."""
    with path.open("rb") as raw:
        pieces = ds.ParquetFileFormat().make_fragment(raw).split_by_row_group(wanted)
        return [group.id for piece in pieces for group in piece.row_groups]
