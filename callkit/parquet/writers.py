"""Arrow tables → one Parquet file, and what such a file says of itself."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

import callkit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

__all__ = ["Attributes", "Write", "counted", "parquet_file"]

Write: TypeAlias = Callable[[pa.Table], None]
Attributes: TypeAlias = Callable[[], Mapping[Any, Any]]

_TOLD = (b"description", b"unit", b"personal")
_COUNTS = ("calls_asked", "calls_got", "calls_failed")


def counted(attributes: Mapping[Any, Any], rows: int, names: Collection[str]) -> dict[Any, Any]:
    """Leave out the counts of calls where they are not those of a table's rows.

    Of calls, which have a ``sid``, they are if as many were got as there are rows; of failures,
    which have a ``reason`` too, if as many failed. A breakdown, which has no ``sid``, says what it
    covers: its counts are of other rows than its own, and stay.
    """
    said = attributes.get("callkit")
    if not isinstance(said, dict):
        return dict(attributes)
    kind = "calls_failed" if "reason" in names else "calls_got"
    of_calls = "sid" in names and said.get(kind) == rows
    of_breakdown = "sid" not in names and "calls_covered" in said
    if not of_calls and not of_breakdown:
        said = {key: value for key, value in said.items() if key not in _COUNTS}
    return {**attributes, "callkit": said}


@contextmanager
def parquet_file(path: Path, schema: pa.Schema, attributes: Attributes) -> Iterator[Write]:
    """Give a function that writes tables of `schema` to a file, one after the other.

    `attributes`, asked for at the end, are those of the whole: what `df.attrs` holds.
    """
    with (
        path.open("wb") as raw,  # Arrow refuses a name that is no UTF-8
        pq.ParquetWriter(raw, schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        yield writer.write_table
        writer.add_key_value_metadata(_footer(attributes(), schema))


def _footer(attributes: Mapping[Any, Any], schema: pa.Schema) -> dict[str, str]:
    """Make a file's own metadata: callkit's part of `df.attrs`, and what the columns mean.

    The fields say the latter too, but in Arrow's own form; here tools without Arrow find it.
    """
    ours = {"version": callkit.__version__}
    told = {"callkit.columns": json.dumps(_meanings(schema), ensure_ascii=False)}
    said = attributes.get("callkit")
    if isinstance(said, dict):
        try:
            return {"callkit": json.dumps({**ours, **said}), **told}
        except (TypeError, ValueError):
            pass  # callkit itself writes nothing but JSON there: this is somebody else's
    return {"callkit": json.dumps(ours), **told}


def _meanings(schema: pa.Schema) -> dict[str, dict[str, str]]:
    return {
        field.name: {
            key.decode(): field.metadata[key].decode() for key in _TOLD if key in field.metadata
        }
        for field in schema
        if field.metadata
    }
