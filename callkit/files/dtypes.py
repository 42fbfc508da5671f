"""Columns held to what their names promise, on the way out and on the way in.

Arrow casts much that it should not: floats to decimals, times without a zone to UTC, numbers to
text. So a column is first taken as it is, and cast only within its own family of types.

What Arrow's types do not tell of a pandas dtype (masked integers, categories and their order, units
that Parquet lacks) is noted in the field of its column, and goes wherever that goes.
"""

import json
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

from callkit.errors import ParquetError
from callkit.files.paths import first_line
from callkit.normaliser.casts import categorical
from callkit.schema import ARROW_TYPES, ATTRIBUTES, SCHEMA, Kind

Values: TypeAlias = pa.Array | pa.ChunkedArray

_CHUNK = 2**16  # rows; one chunk of text can hold two gigabytes, and a column may hold more
_NOTE = b"dtype"
_NUMPY_KINDS = "biufmM"  # others have a size of their own, or cannot be in a Parquet file
_SHOWN_AT_MOST = 100  # letters of a note
# What pandas and Arrow raise for a type that a note names and they cannot make: nothing in common.
_UNFIT = (
    *(TypeError, ValueError, KeyError, AttributeError, ArithmeticError, NotImplementedError),
    *(AssertionError, RecursionError, MemoryError, OSError, pa.ArrowException),
)
_YEARS = (-62_135_596_800, 253_402_300_800)  # 0001-01-01 and 10000-01-01, in seconds since 1970
_A_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_ARROW_BACKED = "pyarrow"
_LISTED = {
    column.name: list(column.vocabulary) for column in ATTRIBUTES if column.kind is Kind.CATEGORY
}


def is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


_FAMILIES = (
    (is_text, "expected text"),
    (
        lambda kind: types.is_timestamp(kind) and kind.tz is not None,
        "expected times with a time zone",
    ),
    (types.is_duration, "expected timedeltas"),
    (types.is_decimal, "expected exact decimals, since a float may have lost digits already"),
)


def as_promised(name: str, values: Values, held: object = None) -> Values:
    """Cast `values` to the type of the schema's column `name`, where they are of its family.

    Values that are all null are of every family: a float column of nothing but NaN has no prices.
    `held` is what to call their type, if not by Arrow's name.
    """
    kind = SCHEMA.field(name).type
    held = values.type if held is None else held
    misfit = f"Column {name!r} of type {held} does not fit {kind}"
    if values.null_count == len(values):
        return pa.nulls(len(values), kind)
    for is_of_family, advice in _FAMILIES:
        if is_of_family(kind) and not is_of_family(values.type):
            raise ParquetError(f"{misfit}: {advice}")
    try:
        if types.is_string_view(values.type):
            values = values.cast(pa.string())
        values = values.cast(kind)
    except pa.ArrowException as error:
        raise ParquetError(f"{misfit}: {first_line(error)}") from error
    _check_years(name, values)
    return values


def plain_array(name: str, values: "pd.Series[Any]") -> Values:
    """Make an Arrow array of a column as it is; text and its categories in their usual types."""
    try:
        array = pa.Array.from_pandas(values)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if types.is_dictionary(array.type):
            coded = is_text(array.type) or types.is_null(array.type.value_type)
            return array.cast(ARROW_TYPES[Kind.CATEGORY]) if coded else array.dictionary_decode()
        if types.is_large_string(array.type):
            array = _usual_text(array)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ParquetError(
            f"Cannot write column {name!r} of dtype {values.dtype}: {first_line(error)}"
        ) from error
    if values.dtype == object and not types.is_nested(array.type):
        # Arrow converts some mixed objects silently, for example an aware time and a naive one.
        for given, kept in zip(values, array.to_pylist(), strict=True):
            if kept is not None and kept != given:
                raise ParquetError(
                    f"Column {name!r} mixes types: {given!r} would be written as {kept!r}"
                )
    return array


def in_our_types(table: pa.Table) -> pa.Table:
    """Cast columns that another tool wrote in plainer types, for example durations as integers."""
    for place, field in enumerate(table.schema):
        _check_zone(field)
        if field.name in SCHEMA.names:
            ours = SCHEMA.field(field.name)
            values = table.column(place)
            if types.is_duration(ours.type) and types.is_integer(values.type):
                values = values.cast(pa.int64()).cast(ours.type)
            kept = ours.with_metadata({**ours.metadata, **(field.metadata or {})})
            table = table.set_column(place, kept, as_promised(field.name, values))
        else:
            _check_years(field.name, table.column(place))
    return table


def _check_zone(field: pa.Field) -> None:
    if types.is_timestamp(field.type) and field.type.tz is not None:
        try:
            pa.scalar(0, field.type).as_py()
        except (KeyError, ValueError, OSError) as error:
            raise ParquetError(
                f"Column {field.name!r} has an unknown time zone "
                f"{field.type.tz[:_SHOWN_AT_MOST]!r}: expected UTC or an IANA name"
            ) from error


def _check_years(name: str, values: Values) -> None:
    """See that pandas can show the times in a column; Python's calendar has these years alone."""
    if not types.is_timestamp(values.type) or values.type.tz is None:
        return
    found = pc.min_max(values.cast(pa.int64())).as_py()
    first, after = (seconds * _A_SECOND[values.type.unit] for seconds in _YEARS)
    if found["min"] is not None and not first <= found["min"] <= found["max"] < after:
        raise ParquetError(f"Column {name!r} has a time that is not in the years 1 to 9999")


def noted(field: pa.Field, dtype: Any) -> pa.Field:
    """Note a dtype in the field of its column, where reading would not give it back anyway.

    Columns of the schema always come back with the dtypes of :func:`callkit.to_frame`, except that
    categories keep the list they had. Objects come back as what they hold.
    """
    ours = field.name in SCHEMA.names
    if isinstance(dtype, pd.CategoricalDtype) and (not ours or field.name in _LISTED):
        listed = dtype.categories.tolist()
        if not all(isinstance(category, str | bool | int | float) for category in listed):
            raise ParquetError(
                f"Column {field.name!r} has categories of type {dtype.categories.dtype}, which "
                "cannot be restored from a file: convert it with .astype('str'), or use text "
                "categories"
            )
        if listed == _LISTED.get(field.name) and not dtype.ordered:
            return field
        note: object = {"categories": listed, "ordered": dtype.ordered}
    elif ours or pd.api.types.is_object_dtype(dtype):
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
                values = _as_noted(frame.iloc[:, place], table.column(place), json.loads(note))
            except _UNFIT as error:
                shown = note[:_SHOWN_AT_MOST].decode(errors="replace")
                raise ParquetError(
                    f"Cannot restore column {field.name!r} to {shown}, the dtype recorded in the "
                    "file"
                ) from error
            frame.isetitem(place, values)
    return frame


def _usual_text(array: pa.Array) -> pa.ChunkedArray:
    slices = (array.slice(start, _CHUNK) for start in range(0, len(array), _CHUNK))
    # Put together with nothing, a slice is a copy that counts from its own beginning.
    chunks = [pa.concat_arrays([slice_, array[:0]]).cast(pa.string()) for slice_ in slices]
    return pa.chunked_array(chunks, pa.string())


def _as_noted(series: "pd.Series[Any]", column: pa.ChunkedArray, note: Any) -> Any:
    if isinstance(note, dict):
        kind = pa.string() if types.is_dictionary(column.type) else column.type
        series = categorical(column, note["categories"], kind).to_pandas()
        return (series.cat.as_ordered() if note["ordered"] else series).array
    dtype: Any = pd.ArrowDtype(column.type) if note == _ARROW_BACKED else _dtype_named(note)
    if dtype != series.dtype and hasattr(dtype, "__from_arrow__"):
        return dtype.__from_arrow__(column)
    return series.astype(dtype).array


def _dtype_named(note: Any) -> Any:
    if not isinstance(note, str) or len(note) > _SHOWN_AT_MOST:
        raise TypeError(note)
    dtype = pd.api.types.pandas_dtype(note)
    if isinstance(dtype, np.dtype) and dtype.kind not in _NUMPY_KINDS:
        raise TypeError(note)
    return dtype
