"""Parquet files opened with care: a footer may claim what nobody wrote, or ask for any memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

_TAIL = 8  # bytes at the end: the length of the footer, and four letters
_LARGEST_FOOTER = 1 << 26  # bytes: the SIDs of a million calls that are not final fit
_MOST_PARTS = 20_000  # columns, or groups of some thousand rows
# A column of equal values takes next to nothing, so rows are counted only where there are many.
_MANY_ROWS = 1 << 24
_ROWS_PER_BYTE = 1_000


@contextmanager
def opened(path: Path, *, pre_buffer: bool = True) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file; an ArrowInvalid describes a footer that cannot be true.

    Opened here, since Arrow would take some names for addresses.
    """
    with path.open("rb") as raw:
        size = _checked_size(raw)
        with pq.ParquetFile(
            raw,
            pre_buffer=pre_buffer,
            page_checksum_verification=True,
            thrift_container_size_limit=_MOST_PARTS,
        ) as file:
            rows = file.metadata.num_rows
            if rows > max(_MANY_ROWS, size * _ROWS_PER_BYTE):
                raise pa.ArrowInvalid(f"it claims {rows:,} rows in {size:,} bytes")
            yield file


def check_complete(table: pa.Table, file: pq.ParquetFile) -> None:
    """See that a table has all rows of the file it was read from."""
    if len(table) != file.metadata.num_rows:
        raise pa.ArrowInvalid(
            f"it is damaged: it claims {file.metadata.num_rows:,} rows, but contains {len(table):,}"
        )


def _checked_size(raw: IO[bytes]) -> int:
    if not raw.seekable():
        raise pa.ArrowInvalid("it is not a regular file")
    size = raw.seek(0, 2)
    raw.seek(max(0, size - _TAIL))
    footer = int.from_bytes(raw.read(4), "little")
    if _LARGEST_FOOTER < footer < size:
        raise pa.ArrowInvalid(
            f"its footer has {footer:,} bytes: expected at most {_LARGEST_FOOTER:,}"
        )
    raw.seek(0)
    return size
