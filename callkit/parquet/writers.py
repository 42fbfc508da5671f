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
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Attributes", "Write", "parquet_file"]

Write: TypeAlias = Callable[[pa.Table], None]
Attributes: TypeAlias = Callable[[], Mapping[Any, Any]]

_TOLD = (b"description", b"unit", b"personal")


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
