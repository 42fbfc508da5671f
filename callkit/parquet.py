"""Parquet out and in: exact types, units and descriptions in every file, never half a file."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import callkit
from callkit.errors import FetchInterrupted, IncompleteError, ParquetError
from callkit.fetch.cache import check_refresh
from callkit.files import replacing
from callkit.frame import (
    check_errors,
    describe_failures,
    describe_interruption,
    price_changes_frame,
    report_failures,
    warn_of_changes,
)
from callkit.gathering import Gathering
from callkit.measures import KEYS, MEASURES
from callkit.normalise import table_to_frame
from callkit.outcomes import failures_frame
from callkit.schema import SCHEMA
from callkit.sids import read_sids

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from os import PathLike

    from callkit.fetch import Client
    from callkit.fetch.cache import Refresh
    from callkit.sids import SidSource

__all__ = ["Exported", "export", "read_parquet", "to_parquet"]

_COMPRESSION = "zstd"
_DESCRIBED = {column.name: column.field.metadata for column in (*KEYS, *MEASURES)}


@dataclass(frozen=True)
class Exported:
    """What an export left on disk.

    Attributes
    ----------
    path : pathlib.Path
        The Parquet file.
    calls : int
        How many calls it holds.
    failures : pandas.DataFrame
        One row per call that did not arrive, as in :class:`Collected`.
    failures_path : pathlib.Path or None
        The failures as CSV, where there are any.
    price_changes : pandas.DataFrame
        Prices that are no longer what the cache had, as in :class:`Collected`.
    """

    path: Path
    calls: int
    failures: pd.DataFrame
    failures_path: Path | None
    price_changes: pd.DataFrame

    def __repr__(self) -> str:
        counts = describe_failures(self.failures["reason"].tolist())
        return f"Exported({self.calls:,} calls to {str(self.path)!r}, {counts or 'no failures'})"


def export(
    sids: SidSource,
    path: str | PathLike[str],
    *,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    errors: Literal["raise", "warn"] = "raise",
    progress: bool | None = None,
) -> Exported:
    """Fetch calls straight into a Parquet file; memory does not grow with the bodies.

    The file takes its name only when it is complete. Where calls fail, a CSV beside it
    (``calls.failures.csv`` for ``calls.parquet``) says which and why; where none do, one that an
    earlier export left is removed.

    Parameters
    ----------
    sids, client, cache, refresh, errors, progress
        As for :func:`callkit.to_frame`.
    path : str or path
        Where to write.

    Returns
    -------
    Exported
        Where the files are, and what failed.

    Raises
    ------
    FetchError
        Calls did not arrive; both files are written all the same. ``.failures`` says why.
    ParquetError
        The file cannot be written there; found out before the first request.
    InvalidSidError, SidListError, CredentialsError, SignInError, WrongAccountError, CacheError
        As for :func:`callkit.collect`. Where calls had been fetched, they are in the file.
    FetchInterrupted
        Ctrl-C: no file is left. What had arrived is in the cache, or else in ``.frame``.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> with Sandbox(calls=100, seed=7) as sandbox:
    ...     out = callkit.export(
    ...         sandbox.sids(20), "calls.parquet", client=sandbox.client()
    ...     )
    >>> out.calls
    20
    """
    check_errors(errors)
    check_refresh(refresh)
    target = Path(path)
    gathering = Gathering(read_sids(sids), client, cache, refresh, progress)
    stop = _write_calls(gathering, target)
    failures = failures_frame(gathering.failures)
    failures_path = _leave_failures(target, failures)
    kept = partial(read_parquet, target)
    if stop is not None:
        stop.attach(kept, failures)
        raise stop
    price_changes = price_changes_frame(gathering)
    warn_of_changes(price_changes)
    report_failures(kept, gathering.calls, failures, errors)
    return Exported(target, gathering.calls, failures, failures_path, price_changes)


def _write_calls(gathering: Gathering, target: Path) -> IncompleteError | None:
    """Write calls as they come, and return what stopped the run early, if anything did."""
    stop: IncompleteError | KeyboardInterrupt | None = None
    with _writing(target) as part:
        with pq.ParquetWriter(part, SCHEMA, compression=_COMPRESSION) as writer:
            try:
                for table in gathering.tables():
                    writer.write_table(table)
            except (IncompleteError, KeyboardInterrupt) as error:
                stop = error
            writer.add_key_value_metadata(_footer(gathering.attributes()))
        if isinstance(stop, KeyboardInterrupt):
            raise FetchInterrupted(
                describe_interruption(gathering),
                read_parquet(part),
                failures_frame(gathering.failures),
            ) from None
    return stop


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
        Where to write. The file takes that name only when it is complete.

    Raises
    ------
    ParquetError
        The file cannot be written there, or a column does not hold what its name promises.

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
        _writing(Path(path)) as part,
        pq.ParquetWriter(part, table.schema, compression=_COMPRESSION) as writer,
    ):
        writer.write_table(table)
        writer.add_key_value_metadata(_footer(df.attrs))


def read_parquet(
    path: str | PathLike[str], *, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a file that :func:`to_parquet` or :func:`export` wrote, with the dtypes it had.

    Parameters
    ----------
    path : str or path
        The file.
    columns : sequence of str, optional
        Which columns, in which order; by default all.

    Returns
    -------
    pandas.DataFrame
        The dtypes of :func:`callkit.to_frame`; ``df.attrs`` as it was written.

    Raises
    ------
    ParquetError
        There is no such file, it is no Parquet, or it lacks a column that was asked for.
    """
    with _readable(Path(path)) as file:
        names = file.schema_arrow.names
        missing = [name for name in columns or () if name not in names]
        if missing:
            raise ParquetError(
                f"{str(path)!r} has no column {', '.join(map(repr, missing))}; "
                f"it has {', '.join(names)}"
            )
        table = file.read(columns=columns and list(columns))
        attributes = (file.metadata.metadata or {}).get(b"callkit")
    if columns is not None:
        table = table.select(list(columns))
    frame = table_to_frame(_in_our_types(table))
    if attributes is not None:
        frame.attrs["callkit"] = json.loads(attributes)
    return frame


def _to_table(df: pd.DataFrame) -> pa.Table:
    named = [name for name in df.index.names if name is not None]
    if named:
        df = df.reset_index(level=named)
    arrays, fields = [], []
    for name, values in df.items():
        field = _field_of(str(name), values)
        try:
            arrays.append(_array_of(values, field.type))
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
            raise ParquetError(
                f"column {name!r} is {values.dtype} and does not fit {field.type}, "
                f"as a column of that name should: {str(error).splitlines()[0]}"
            ) from error
        fields.append(field)
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _field_of(name: str, values: pd.Series[Any]) -> pa.Field:
    if name in SCHEMA.names:
        return SCHEMA.field(name)
    inferred = pa.Array.from_pandas(values.iloc[:0]).type
    if values.dtype == object:
        inferred = pa.Array.from_pandas(values).type
    if pa.types.is_large_string(inferred):
        inferred = pa.string()
    return pa.field(name, inferred, metadata=_DESCRIBED.get(name))


def _array_of(values: pd.Series[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(kind) and pd.api.types.is_float_dtype(values.dtype):
        raise pa.ArrowInvalid("a float has lost cents already; prices are exact decimals")
    array = pa.Array.from_pandas(values)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(kind)


def _in_our_types(table: pa.Table) -> pa.Table:
    """Cast columns of the schema that another tool's copy of the file has left in plainer types."""
    for place, field in enumerate(table.schema):
        if field.name in SCHEMA.names:
            ours = SCHEMA.field(field.name)
            table = table.set_column(place, ours, table.column(place).cast(ours.type))
    return table


def _footer(attributes: dict[Any, Any]) -> dict[str, str]:
    known = {"version": callkit.__version__, **attributes.get("callkit", {})}
    return {"callkit": json.dumps(known)}


def _leave_failures(target: Path, failures: pd.DataFrame) -> Path | None:
    beside = target.with_suffix(".failures.csv")
    if failures.empty:
        beside.unlink(missing_ok=True)
        return None
    with _writing(beside) as part:
        failures.to_csv(part, index=False)
    return beside


@contextmanager
def _writing(path: Path) -> Iterator[Path]:
    try:
        with replacing(path) as part:
            yield part
    except OSError as error:
        raise ParquetError(f"{str(path)!r} cannot be written: {error.strerror or error}") from error


@contextmanager
def _readable(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with path.open("rb") as raw, pq.ParquetFile(raw) as file:
            yield file
    except OSError as error:
        raise ParquetError(f"{str(path)!r} cannot be read: {error.strerror or error}") from error
    except pa.ArrowInvalid as error:
        raise ParquetError(
            f"{str(path)!r} is no Parquet file: {str(error).splitlines()[0]}"
        ) from error
