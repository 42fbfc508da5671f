"""What Arrow's types do not tell of a pandas dtype: written beside each column, and read back.

Masked integers, categories and their order, and units that Parquet lacks would otherwise come back
as something else. The note stands in the field of its column, and goes wherever that goes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from callkit.errors import ParquetError
from callkit.normalise.columns import categorical
from callkit.schema import ATTRIBUTES, SCHEMA, Kind

if TYPE_CHECKING:
    from pandas.api.extensions import ExtensionArray

__all__ = ["noted", "restored"]

_NOTE = b"dtype"
_ARROW_BACKED = "pyarrow"
_LISTED = {
    column.name: list(column.vocabulary) for column in ATTRIBUTES if column.kind is Kind.CATEGORY
}
_NEVER_CATEGORIES = set(SCHEMA.names) - set(_LISTED)


def noted(field: pa.Field, dtype: Any) -> pa.Field:
    """Note a dtype in the field of its column, where reading would not give it back anyway.

    Columns of the schema always come back with the dtypes of :func:`callkit.to_frame`, except that
    categories keep the list they had. Objects come back as what they hold.
    """
    if isinstance(dtype, pd.CategoricalDtype) and field.name not in _NEVER_CATEGORIES:
        listed = _plain(field.name, dtype)
        if listed == _LISTED.get(field.name) and not dtype.ordered:
            return field
        note: object = {"categories": listed, "ordered": dtype.ordered}
    elif field.name in SCHEMA.names or pd.api.types.is_object_dtype(dtype):
        return field
    else:
        note = _ARROW_BACKED if isinstance(dtype, pd.ArrowDtype) else str(dtype)
    return field.with_metadata({**(field.metadata or {}), _NOTE: json.dumps(note).encode()})


def restored(frame: pd.DataFrame, table: pa.Table) -> pd.DataFrame:
    """Give the columns of a frame that was made of `table` the dtypes noted in its fields."""
    for place, field in enumerate(table.schema):
        note = (field.metadata or {}).get(_NOTE)
        if note is not None:
            try:
                values = _values(frame.iloc[:, place], table.column(place), json.loads(note))
            except (TypeError, ValueError, KeyError, pa.ArrowException) as error:
                raise ParquetError(
                    f"column {field.name!r} cannot be {note.decode(errors='replace')}, as the "
                    "file says it was"
                ) from error
            frame.isetitem(place, values)
    return frame


def _values(series: pd.Series[Any], column: pa.ChunkedArray, note: Any) -> ExtensionArray:
    """Give `series`, which was made of `column`, or what the note says it was instead."""
    if isinstance(note, dict):
        kind = pa.string() if pa.types.is_dictionary(column.type) else column.type
        series = categorical(column, note["categories"], kind).to_pandas()
        coded: ExtensionArray = (series.cat.as_ordered() if note["ordered"] else series).array
        return coded
    dtype: Any
    dtype = pd.ArrowDtype(column.type) if note == _ARROW_BACKED else pd.api.types.pandas_dtype(note)
    if dtype != series.dtype and hasattr(dtype, "__from_arrow__"):
        read: ExtensionArray = dtype.__from_arrow__(column)
        return read
    cast: ExtensionArray = series.astype(dtype).array
    return cast


def _plain(name: str, dtype: pd.CategoricalDtype) -> list[object]:
    """List categories as JSON can give them back."""
    listed = dtype.categories.tolist()
    if not all(isinstance(category, str | bool | int | float) for category in listed):
        raise ParquetError(
            f"column {name!r} has categories of {dtype.categories.dtype}, which the file could not "
            "give back: make it text, .astype('str'), or text categories"
        )
    return listed
