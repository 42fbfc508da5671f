"""A frame → Parquet, and back with the dtypes it had: one file, or a folder of them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from callkit.breakdown.measures import KEYS, MEASURES
from callkit.errors import ParquetError
from callkit.files.dtypes import as_promised, in_our_types, noted, plain_array, restored
from callkit.files.footers import attributes_in, in_all, outermost_as_of, with_coverage
from callkit.files.formats import month_files, parquet_file
from callkit.files.paths import KEY, MONTH, NEVER_STARTED, RUN_ID, file_errors
from callkit.files.replacing import writing
from callkit.normaliser import table_to_frame
from callkit.pairs import why_not_whole
from callkit.parquet_files import check_complete, opened
from callkit.pseudonyms import Pseudonyms, with_pseudonyms
from callkit.schema import SCHEMA

_DESCRIBED = {column.name: column.field.metadata for column in (*KEYS, *MEASURES)}
_COUNTS = ("calls_asked", "calls_got", "calls_failed", "calls_from_pages")
_UNREADABLE = (pa.ArrowException, UnicodeDecodeError)
_BEYOND_PANDAS = (ValueError, OverflowError, MemoryError)  # years, or sizes


def to_parquet(
    df: pd.DataFrame,
    path: str | PathLike[str],
    *,
    by_month: bool = False,
    pseudonyms: Pseudonyms | None = None,
) -> None:
    """Write a frame of calls, or a breakdown, to a Parquet file, or calls to a dataset by month.

    Calls have exactly the types of :data:`callkit.SCHEMA`, whatever is null or empty. Each field
    carries its unit and description; the file carries callkit's version and, if `df.attrs` has
    them, as-of times and counts of calls; counts only if `df` has as many rows as calls were
    fetched. An index is not written, unless it has a name.

    A dataset is a folder with a file for each month in which calls started, in UTC (as Twilio
    bills): ``month=2025-03/part-0.parquet``. Calls that never started are in ``month=none``, which
    always exists.

    Parameters
    ----------
    df : pandas.DataFrame
        Calls as :func:`callkit.to_frame` returns them, some columns of them, or a breakdown; other
        columns are kept.
    path : str or path
        Where to write. The file, or folder, takes that name only when it is complete; it keeps the
        mode of an existing one. Links are followed.
    by_month : bool, default False
        Whether to write a dataset, of calls with a ``start_time``. It replaces a dataset that
        callkit wrote, or an empty folder, and nothing else. That takes two renames: if a process
        is killed between them, there is no `path` until the next export to it completes the
        replacement.
    pseudonyms : Pseudonyms, optional
        Replace numbers and addresses with these, and omit names: see :func:`callkit.pseudonymise`.

    Raises
    ------
    ParquetError
        The file cannot be written, a column does not hold what its name promises (floats for
        prices, or times without a zone), or Parquet cannot hold it. By month: there is no
        ``start_time``, there is already a column ``month``, or the folder contains anything that
        callkit did not write; nothing is removed then.
    FrameError
        Parties cannot be replaced; see :func:`callkit.pseudonymise`.

    Examples
    --------
    >>> calls = callkit.normalise([])
    >>> callkit.to_parquet(calls, "none.parquet")
    >>> callkit.read_parquet("none.parquet").equals(calls)
    True
    """
    if not isinstance(df, pd.DataFrame):
        raise ParquetError(f"Expected a pandas DataFrame, not {type(df).__name__}")
    table = frame_to_table(df if pseudonyms is None else with_pseudonyms(df, pseudonyms))
    said = _of_no_export(_counted(df.attrs, len(table), table.schema.names))
    written = month_files if by_month else parquet_file
    with (
        writing(Path(path), folder=by_month) as part,
        written(part, table.schema, lambda: said) as write,
    ):
        write(table)


def _of_no_export(said: dict[Any, Any]) -> dict[Any, Any]:
    """Leave out the run id: the failures beside this file need not be of that export."""
    if not isinstance(of_calls := said.get("callkit"), dict):
        return said
    return said | {"callkit": {key: of_calls[key] for key in of_calls if key != RUN_ID}}


def read_parquet(
    path: str | PathLike[str], *, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read what :func:`to_parquet` or :func:`callkit.export` wrote, with the dtypes it had.

    Parameters
    ----------
    path : str or path
        A file, a dataset by month, or a folder of files with the same columns, each ending in
        ``.parquet``; another tool's copy of one will do, as long as its prices are decimals and its
        times have a zone (Spark writes one with
        ``spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS``).
    columns : str or sequence of str, optional
        Which columns, in which order; by default all. Only these are read.

    Returns
    -------
    pandas.DataFrame
        The dtypes of :func:`callkit.to_frame`, and for other columns those they had when they were
        written (objects are read as what they contain: text as ``str``, decimals exactly);
        ``df.attrs`` as it was written, with counts of calls only if all fetched calls are present,
        so not for one month of a dataset. A dataset is read month by month, with calls that never
        started last and no column ``month``; a folder, file by file in order of name. ``df.attrs``
        then has the earliest ``as_of_first``, the latest ``as_of_last``, the whole range
        ``started`` if those of the files are of the same accounts and overlap or touch, and
        whatever else is equal in all files; for several breakdowns it has no counts. Accounts,
        range, zone and filters of files without rows do not count.

    Raises
    ------
    ParquetError
        The file may be of another export than the failures beside it, because an export was
        interrupted; or it does not exist, is not Parquet, lacks a column that was requested or that
        other files in its folder have, or a column does not hold what its name promises; or a
        folder has items that would be skipped but may hold calls: a folder, a ``.parq`` or ``.pq``
        file, or in a dataset by month anything but months.

    Examples
    --------
    >>> callkit.to_parquet(callkit.normalise([]), "calls", by_month=True)
    >>> callkit.read_parquet("calls", columns=["sid", "price"]).columns.tolist()
    ['sid', 'price']
    """
    names = [columns] if isinstance(columns, str) else columns and list(columns)
    if reason := why_not_whole(Path(path)):
        raise ParquetError(reason)
    first, *others = _files_at(Path(path))
    table, held, attributes = _of_file(first, names)
    tables, said = [table], [attributes]
    for other in others:
        more, more_held, attributes = _of_file(other, table.column_names)
        _check_alike(first, table.schema, other, more.schema, more_held if names is None else [])
        tables.append(more)
        said.append(attributes)
    unfit = (ParquetError, *_UNREADABLE, *_BEYOND_PANDAS)
    with file_errors(Path(path), "cannot be read", unfit):
        table = pa.concat_tables(tables)
        frame = restored(table_to_frame(table), table)
    frame.attrs.update(_counted(_agreed(said, tables), len(table), held))
    return frame


def frame_to_table(df: pd.DataFrame) -> pa.Table:
    """Make an Arrow table of a frame, every column in the type that its name promises."""
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
            f"Invalid column name {odd[0]!r} of type {type(odd[0]).__name__}: column names "
            "must be text"
        )
    hint = ", including the index: use reset_index(drop=True)" if named else ""
    _check_named_once(names, "the frame", hint)
    return df.reset_index(level=named) if named else df


def _check_named_once(names: list[str], where: str, hint: str = "") -> None:
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ParquetError(
            f"Duplicate column names in {where}: {', '.join(map(repr, twice))}{hint}"
        )


def _counted(attributes: Mapping[Any, Any], rows: int, names: Collection[str]) -> dict[Any, Any]:
    """Leave out the counts of calls where they are not those of a table's rows.

    Of calls, which have a ``sid``, they are if as many were got as there are rows; of failures,
    which have a ``reason`` too, if as many failed. A breakdown, which has no ``sid``, says what it
    covers: its counts are of other rows than its own, and stay.
    """
    said = attributes.get("callkit")
    if not isinstance(said, dict):
        return dict(attributes)
    if "sid" in names:
        right = said.get("calls_failed" if "reason" in names else "calls_got") == rows
    else:
        right = "calls_covered" in said
    if not right:
        said = {key: value for key, value in said.items() if key not in _COUNTS}
    return {**attributes, "callkit": said}


def _files_at(path: Path) -> list[Path]:
    """List the files to read: of a dataset month by month, or all Parquet of a plain folder.

    Names that begin with a dot or an underscore are other tools' metadata, and are ignored.
    Anything else in a dataset is refused, and in a plain folder whatever may contain calls:
    skipping a file may lose calls, and reading a copy of a month counts them twice.
    """
    try:
        if not path.is_dir():
            return [path]
        entries = _shown(path)
        by_month = any(entry.name.startswith(f"{KEY}=") for entry in entries)
        files = _in_months(path, entries) if by_month else _in_plain(path, entries)
    except OSError as error:
        raise ParquetError(f"Cannot read {str(error.filename)!r}: {error.strerror}") from error
    if not files:
        raise ParquetError(f"The folder {str(path)!r} contains no Parquet files")
    return files


def _shown(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


def _in_months(folder: Path, entries: list[Path]) -> list[Path]:
    for entry in entries:
        if not MONTH.fullmatch(entry.name):
            raise ParquetError(
                f"{str(folder)!r} is a dataset by month, but contains {entry.name!r}: expected "
                f"only folders named {KEY}=YYYY-MM or {KEY}={NEVER_STARTED}"
            )
    return [file for month in entries for file in _shown(month)]


def _in_plain(folder: Path, entries: list[Path]) -> list[Path]:
    for entry in entries:
        if entry.is_dir():
            what, advice = f"the folder {entry.name!r}", "move it elsewhere, or move its files up"
        elif entry.suffix.lower() in (".parq", ".pq"):
            what, advice = repr(entry.name), "give it the extension .parquet, or move it elsewhere"
        else:
            continue
        raise ParquetError(f"{str(folder)!r} contains {what}, which would not be read: {advice}")
    return [entry for entry in entries if entry.suffix.lower() == ".parquet"]


def _of_file(path: Path, names: Sequence[str] | None) -> tuple[pa.Table, list[str], dict[str, Any]]:
    if "\0" in str(path):
        raise ParquetError(f"Cannot read {str(path)!r}: a path cannot contain a NUL character")
    if reason := why_not_whole(path):
        raise ParquetError(reason)
    with (
        file_errors(path, "cannot be read", (OSError,)),
        file_errors(path, "is not a Parquet file", _UNREADABLE),
        opened(path) as file,
    ):
        held: list[str] = file.schema_arrow.names
        _check_named_once(held, repr(str(path)))
        missing = [name for name in names or () if name not in held]
        if missing:
            raise ParquetError(
                f"{str(path)!r} has no column {', '.join(map(repr, missing))}. Available columns: "
                f"{', '.join(held)}"
            )
        table = file.read(columns=names)
        check_complete(table, file)
        written = (file.metadata.metadata or {}).get(b"callkit")
    with file_errors(path, "cannot be read", (ParquetError, *_UNREADABLE)):
        table.validate(full=True)  # finds invalid UTF-8 now rather than on first use
        table = in_our_types(table if names is None else table.select(names))
    return table, held, {} if written is None else {"callkit": attributes_in(written, path)}


def _check_alike(
    first: Path, expected: pa.Schema, other: Path, schema: pa.Schema, held: list[str]
) -> None:
    more = [name for name in held if name not in expected.names]
    if more:
        raise ParquetError(
            f"{str(other)!r} has a column {more[0]!r} that {str(first)!r} does not have"
        )
    for field, same in zip(schema, expected, strict=True):
        if field.type != same.type:
            raise ParquetError(
                f"Column {field.name!r} is {field.type} in {str(other)!r}, but {same.type} in "
                f"{str(first)!r}"
            )


def _agreed(attributes: list[dict[str, Any]], tables: list[pa.Table]) -> dict[str, Any]:
    """Merge the attrs of files: what all agree on, outermost as-of times, and their whole range."""
    if len(attributes) == 1:
        return attributes[0]
    said = [each.get("callkit", {}) for each in attributes]
    agreed = in_all(said)
    agreed.pop("calls_covered", None)
    # An update leaves an empty file as it was: it describes an earlier range than the others.
    with_rows = [each for each, table in zip(said, tables, strict=True) if len(table)]
    return {"callkit": with_coverage(agreed, with_rows or said) | outermost_as_of(said)}
