"""A frame in hand → a Parquet file, or a dataset by month."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pyarrow as pa

from callkit.breakdown.measures import KEYS, MEASURES
from callkit.errors import ParquetError
from callkit.parquet.columns import as_promised, named_twice, plain_array
from callkit.parquet.dtypes import noted
from callkit.parquet.months import month_files
from callkit.parquet.places import writing, writing_folder
from callkit.parquet.writers import counted, parquet_file
from callkit.pseudonyms import with_pseudonyms
from callkit.schema import SCHEMA

if TYPE_CHECKING:
    from os import PathLike

    from callkit.pseudonyms import Pseudonyms

__all__ = ["frame_to_table", "to_parquet"]

_DESCRIBED = {column.name: column.field.metadata for column in (*KEYS, *MEASURES)}


def to_parquet(
    df: pd.DataFrame,
    path: str | PathLike[str],
    *,
    by_month: bool = False,
    pseudonyms: Pseudonyms | None = None,
) -> None:
    """Write a frame of calls, or a breakdown, to a Parquet file, or calls to a dataset by month.

    Zstandard-compressed; calls in exactly the types of :data:`callkit.SCHEMA`, whatever is null or
    empty. Each field carries its unit and description, and the file callkit's version and, where
    `df.attrs` has them, counts and as-of times; the counts of calls got, asked for and failed only
    if `df` has as many rows as calls were got. An index is not written, unless it has a name.

    A dataset is a folder with a file for each month in which calls started, in UTC (as Twilio
    bills): ``month=2025-03/part-0.parquet``. Calls never started are under ``month=none``, which is
    there even without any.

    Parameters
    ----------
    df : pandas.DataFrame
        Calls as :func:`callkit.to_frame` returns them, some columns of them, or a breakdown;
        columns of your own may stand beside them.
    path : str or path
        Where to write. The file, or folder, takes that name only when it is complete. What was
        there lends it its mode, and a link is followed.
    by_month : bool, default False
        Whether `path` shall be a dataset, of calls with a ``start_time``. It replaces a dataset of
        callkit's, or an empty folder, and nothing else. One takes the other's place by two
        renamings: a process killed just between them leaves no `path`, but both datasets, whole,
        under the names ``.NAME.….old`` and ``.NAME.….part`` beside it.
    pseudonyms : Pseudonyms, optional
        Put these in the place of numbers and addresses, and leave names out, as
        :func:`callkit.pseudonymise` does.

    Raises
    ------
    ParquetError
        The file cannot be written there, a column does not hold what its name promises (floats for
        prices, say, or times without a zone), or Parquet cannot hold it. By month: there is no
        ``start_time``, there is a column ``month`` already, or the folder holds anything that is
        not callkit's; nothing is removed then.
    FrameError
        Pseudonyms cannot be put in; see :func:`callkit.pseudonymise`.

    Examples
    --------
    >>> calls = callkit.normalise([])
    >>> callkit.to_parquet(calls, "none.parquet")
    >>> callkit.read_parquet("none.parquet").equals(calls)
    True
    """
    if not isinstance(df, pd.DataFrame):
        raise ParquetError(f"to_parquet takes a pandas DataFrame, not {type(df).__name__}")
    table = frame_to_table(df if pseudonyms is None else with_pseudonyms(df, pseudonyms))
    place, written = (writing_folder, month_files) if by_month else (writing, parquet_file)
    said = counted(df.attrs, len(table), table.schema.names)
    with place(Path(path)) as part, written(part, table.schema, lambda: said) as write:
        write(table)


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
            f"column names are text, and {odd[0]!r} is of type {type(odd[0]).__name__}"
        )
    twice = named_twice(names)
    if twice:
        raise ParquetError(
            f"the frame has more than one column {', '.join(map(repr, twice))}"
            + (", the index among them: reset_index(drop=True)" if named else "")
        )
    return df.reset_index(level=named) if named else df
