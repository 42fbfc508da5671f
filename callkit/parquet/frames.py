"""A frame in hand → a Parquet file, and back with the dtypes it had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import callkit
from callkit.errors import ParquetError
from callkit.measures import KEYS, MEASURES
from callkit.normalise import table_to_frame
from callkit.parquet.columns import as_promised, in_our_types, plain_array
from callkit.parquet.dtypes import noted, restored
from callkit.parquet.places import first_line, readable, writing
from callkit.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike

__all__ = ["COMPRESSION", "footer", "read_parquet", "to_parquet"]

COMPRESSION = "zstd"
_DESCRIBED = {column.name: column.field.metadata for column in (*KEYS, *MEASURES)}


def to_parquet(df: pd.DataFrame, path: str | PathLike[str]) -> None:
    """Write a frame of calls, or a breakdown, to a Parquet file.

    Zstandard-compressed; calls in exactly the types of :data:`callkit.SCHEMA`, whatever is null or
    empty. Each field carries its unit and description, and the file callkit's version and, where
    `df.attrs` has them, counts and as-of times. An index is not written, unless it has a name.

    Parameters
    ----------
    df : pandas.DataFrame
        Calls as :func:`callkit.to_frame` returns them, some columns of them, or a breakdown;
        columns of your own may stand beside them.
    path : str or path
        Where to write. The file takes that name only when it is complete. A file that was there
        lends it its mode, and a link is followed.

    Raises
    ------
    ParquetError
        The file cannot be written there, a column does not hold what its name promises (floats for
        prices, say, or times without a zone), or Parquet cannot hold it.

    Examples
    --------
    >>> calls = callkit.normalise([])
    >>> callkit.to_parquet(calls, "none.parquet")
    >>> callkit.read_parquet("none.parquet").equals(calls)
    True
    """
    if not isinstance(df, pd.DataFrame):
        raise ParquetError(f"to_parquet takes a pandas DataFrame, not {type(df).__name__}")
    table = _to_table(df)
    with (
        writing(Path(path)) as part,
        pq.ParquetWriter(part, table.schema, compression=COMPRESSION) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata(footer(df.attrs))


def read_parquet(
    path: str | PathLike[str], *, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a file that :func:`to_parquet` or :func:`callkit.export` wrote, with the dtypes it had.

    Parameters
    ----------
    path : str or path
        The file; another tool's copy of one will do, as long as prices in it are decimals.
    columns : str or sequence of str, optional
        Which columns, in which order; by default all.

    Returns
    -------
    pandas.DataFrame
        The dtypes of :func:`callkit.to_frame`, and for other columns those they had when they were
        written (objects come back as what they hold: text as ``str``, decimals exact);
        ``df.attrs`` as it was written.

    Raises
    ------
    ParquetError
        There is no such file, it is no Parquet, it lacks a column that was asked for, or a column
        does not hold what its name promises.
    """
    names = [columns] if isinstance(columns, str) else columns and list(columns)
    with readable(Path(path)) as file:
        _check_asked(names, file.schema_arrow.names, str(path))
        table = file.read(columns=names)
        attributes = (file.metadata.metadata or {}).get(b"callkit")
    if names is not None:
        table = table.select(names)
    try:
        table = in_our_types(table)
        frame = restored(table_to_frame(table), table)
    except (ParquetError, pa.ArrowException) as error:
        raise ParquetError(f"{str(path)!r} cannot be read: {first_line(error)}") from error
    if attributes is not None:
        frame.attrs["callkit"] = _attributes(attributes, str(path))
    return frame


def footer(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """Make a file's own metadata: callkit's version and, of `df.attrs`, what is callkit's."""
    ours = {"version": callkit.__version__}
    said = attributes.get("callkit")
    if isinstance(said, dict):
        try:
            return {"callkit": json.dumps({**ours, **said})}
        except (TypeError, ValueError):
            pass  # callkit itself writes nothing but JSON there: this is somebody else's
    return {"callkit": json.dumps(ours)}


def _attributes(written: bytes, path: str) -> dict[str, Any]:
    try:
        attributes = json.loads(written)
    except ValueError:
        attributes = None
    if not isinstance(attributes, dict):
        raise ParquetError(f"{path!r} is damaged: what it says of itself is no JSON object")
    return attributes


def _check_asked(asked: Sequence[str] | None, names: Sequence[str], path: str) -> None:
    twice = _twice(names)
    if twice:
        raise ParquetError(f"{path!r} has more than one column {', '.join(map(repr, twice))}")
    missing = [name for name in asked or () if name not in names]
    if missing:
        raise ParquetError(
            f"{path!r} has no column {', '.join(map(repr, missing))}; it has {', '.join(names)}"
        )


def _to_table(df: pd.DataFrame) -> pa.Table:
    df = _with_named_index(df)
    arrays, fields = [], []
    for name, values in df.items():
        array = plain_array(str(name), values)
        if name in SCHEMA.names:
            held = array.type if values.dtype == object else values.dtype
            array = as_promised(str(name), array, held)
            field = SCHEMA.field(name)
        else:
            field = pa.field(str(name), array.type, metadata=_DESCRIBED.get(str(name)))
        arrays.append(array)
        fields.append(noted(field, values.dtype))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _with_named_index(df: pd.DataFrame) -> pd.DataFrame:
    """Make columns of the index levels that have names, and see that names are text, each once."""
    named = [name for name in df.index.names if name is not None]
    names = [*named, *df.columns]
    odd = [name for name in names if not isinstance(name, str)]
    if odd:
        raise ParquetError(
            f"column names are text, and {odd[0]!r} is of type {type(odd[0]).__name__}"
        )
    twice = _twice(names)
    if twice:
        raise ParquetError(
            f"the frame has more than one column {', '.join(map(repr, twice))}"
            + (", the index among them: reset_index(drop=True)" if named else "")
        )
    return df.reset_index(level=named) if named else df


def _twice(names: Iterable[str]) -> list[str]:
    counted = list(names)
    return [name for name in dict.fromkeys(counted) if counted.count(name) > 1]
