"""Parquet → a frame with the dtypes it had: of one file, or of a folder of them."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from callkit.errors import ParquetError
from callkit.normalise import table_to_frame
from callkit.parquet.columns import in_our_types, named_twice
from callkit.parquet.dtypes import restored
from callkit.parquet.folders import files_at
from callkit.parquet.places import first_line, readable
from callkit.parquet.writers import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from os import PathLike

    import pandas as pd

__all__ = ["read_parquet"]

_AS_OF: dict[str, Callable[[list[datetime]], datetime]] = {"as_of_first": min, "as_of_last": max}


class _Contents(NamedTuple):
    """What a file holds: columns in our types, the names of all, and what it says of itself."""

    table: pa.Table
    names: list[str]
    attributes: dict[str, Any]


def read_parquet(
    path: str | PathLike[str], *, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read what :func:`to_parquet` or :func:`callkit.export` wrote, with the dtypes it had.

    Parameters
    ----------
    path : str or path
        A file, a dataset by month, or a folder of files with the same columns, each named
        ``.parquet``; another tool's copy of one will do, as long as prices in it are decimals and
        times have a zone (Spark writes it under
        ``spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS``).
    columns : str or sequence of str, optional
        Which columns, in which order; by default all. Only these are read.

    Returns
    -------
    pandas.DataFrame
        The dtypes of :func:`callkit.to_frame`, and for other columns those they had when they were
        written (objects come back as what they hold: text as ``str``, decimals exact);
        ``df.attrs`` as it was written, but the counts of calls got, asked for and failed only if
        as many calls are there as were got: one month of a dataset does not say them. Of a dataset
        by month, calls month by month, those never started last; ``month`` is no column, since
        ``start_time`` says it. Of a folder of files, one after the other in the order of their
        names; ``df.attrs`` has the earliest ``as_of_first`` and the latest ``as_of_last`` of them,
        of the rest that on which they agree, and of several breakdowns no counts.

    Raises
    ------
    ParquetError
        There is no such file, it is no Parquet, it lacks a column that was asked for or that others
        of its folder have, or a column does not hold what its name promises; one such file in a
        folder is enough. A folder holds what is not read but may hold calls: a folder, a file named
        ``.parq`` or ``.pq``, or in a dataset by month what is no month of it.

    Examples
    --------
    >>> calls = callkit.normalise([])
    >>> callkit.to_parquet(calls, "calls", by_month=True)
    >>> callkit.read_parquet("calls", columns=["sid", "price"]).columns.tolist()
    ['sid', 'price']
    """
    names = [columns] if isinstance(columns, str) else columns and list(columns)
    read = _of_files(files_at(Path(path)), names)
    try:
        table = pa.concat_tables([contents.table for contents in read])
        frame = restored(table_to_frame(table), table)
    except (ParquetError, pa.ArrowException, UnicodeDecodeError) as error:
        raise ParquetError(f"{str(path)!r} cannot be read: {first_line(error)}") from error
    frame.attrs.update(
        counted(_agreed([contents.attributes for contents in read]), len(table), read[0].names)
    )
    return frame


def _of_files(files: list[Path], names: Sequence[str] | None) -> list[_Contents]:
    """Read files that have the columns of the first, in the same types."""
    first, *others = files
    read = [_of_file(first, names)]
    schema = read[0].table.schema
    for path in others:
        with readable(path) as file:
            more = [name for name in file.schema_arrow.names if name not in schema.names]
        if more and names is None:
            raise ParquetError(
                f"{str(path)!r} has a column {more[0]!r}, which {str(first)!r} lacks"
            )
        contents = _of_file(path, schema.names)
        for field, expected in zip(contents.table.schema, schema, strict=True):
            if field.type != expected.type:
                raise ParquetError(
                    f"{str(path)!r} holds {field.type} in the column {field.name!r}, and "
                    f"{str(first)!r} {expected.type}"
                )
        read.append(contents)
    return read


def _of_file(path: Path, names: Sequence[str] | None) -> _Contents:
    with readable(path) as file:
        held = file.schema_arrow.names
        _check_asked(names, held, str(path))
        table = file.read(columns=names)
        written = (file.metadata.metadata or {}).get(b"callkit")
    try:
        table.validate(full=True)  # else text that is no UTF-8 is found when it is looked at
        table = in_our_types(table if names is None else table.select(names))
    except (ParquetError, pa.ArrowException, UnicodeDecodeError) as error:
        raise ParquetError(f"{str(path)!r} cannot be read: {first_line(error)}") from error
    attributes = {} if written is None else {"callkit": _attributes(written, str(path))}
    return _Contents(table, held, attributes)


def _agreed(attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """Keep what every file says, and of as-of times the outermost; what breakdowns cover goes."""
    if len(attributes) == 1:
        return attributes[0]
    said = [each.get("callkit", {}) for each in attributes]
    first, *others = said
    agreed = {
        key: value
        for key, value in first.items()
        if all(key in other and other[key] == value for other in others)
    }
    agreed.pop("calls_covered", None)
    for key, outermost in _AS_OF.items():
        if all(key in each for each in said):
            agreed[key] = _instant([each[key] for each in said], outermost)
    return {"callkit": agreed}


def _instant(said: list[Any], outermost: Callable[[list[datetime]], datetime]) -> str | None:
    """Choose among instants; a file of no calls has none, and nothing else means any."""
    try:
        instants = {datetime.fromisoformat(each): str(each) for each in said if each is not None}
        return instants[outermost(list(instants))] if instants else None
    except (TypeError, ValueError):  # this is somebody else's
        return None


def _attributes(written: bytes, path: str) -> dict[str, Any]:
    try:
        attributes = json.loads(written)
    except ValueError:
        attributes = None
    if not isinstance(attributes, dict):
        raise ParquetError(f"{path!r} is damaged: what it says of itself is no JSON object")
    return attributes


def _check_asked(asked: Sequence[str] | None, names: Sequence[str], path: str) -> None:
    twice = named_twice(names)
    if twice:
        raise ParquetError(f"{path!r} has more than one column {', '.join(map(repr, twice))}")
    missing = [name for name in asked or () if name not in names]
    if missing:
        raise ParquetError(
            f"{path!r} has no column {', '.join(map(repr, missing))}; it has {', '.join(names)}"
        )
