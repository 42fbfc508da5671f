"""Columns held to what their names promise, on the way out and on the way in.

Arrow casts much that it should not: floats to decimals, times without a zone to UTC, numbers to
text. So a column is first taken as it is, and cast only within its own family of types.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from pyarrow import types

from callkit.errors import ParquetError
from callkit.parquet.places import first_line
from callkit.schema import SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    import pandas as pd

    Values: TypeAlias = pa.Array | pa.ChunkedArray

__all__ = ["as_promised", "in_our_types", "named_twice", "plain_array"]

_CHUNK = 2**16  # rows; one chunk of text can hold two gigabytes, and a column may hold more
_TEXT_CATEGORIES = pa.dictionary(pa.int32(), pa.string())


class _Family(NamedTuple):
    """Types that say the same: how to know them, and what to say of others."""

    holds: Callable[[pa.DataType], bool]
    advice: str


def _is_text(kind: pa.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def _is_instant(kind: pa.DataType) -> bool:
    return types.is_timestamp(kind) and kind.tz is not None


_TEXT = _Family(_is_text, "it takes text")
_INSTANT = _Family(_is_instant, "it takes times with a zone, without which they are no moments")
_DURATION = _Family(types.is_duration, "it takes timedeltas, which say their unit")
_DECIMAL = _Family(
    types.is_decimal, "prices are exact, so it takes decimals; a float has lost cents already"
)


def _family(kind: pa.DataType) -> _Family:
    if types.is_decimal(kind):
        return _DECIMAL
    if types.is_timestamp(kind):
        return _INSTANT
    return _DURATION if types.is_duration(kind) else _TEXT


def as_promised(name: str, values: Values, held: object = None) -> Values:
    """Cast `values` to the type of the schema's column `name`, where they are of its family.

    Values that are all null are of every family: a float column of nothing but NaN has no prices.
    `held` is what to call their type, if not by Arrow's name.
    """
    kind = SCHEMA.field(name).type
    holds, advice = _family(kind)
    held = values.type if held is None else held
    if values.null_count == len(values):
        return _nulls(values, kind)
    if not holds(values.type):
        raise ParquetError(f"column {name!r} is {held} and does not fit {kind}: {advice}")
    try:
        if types.is_string_view(values.type):
            values = values.cast(pa.string())
        return values.cast(kind)
    except pa.ArrowException as error:
        raise ParquetError(
            f"column {name!r} is {held} and does not fit {kind}: {first_line(error)}"
        ) from error


def plain_array(name: str, values: pd.Series[Any]) -> Values:
    """Make an Arrow array of a column as it is; text and its categories in their usual types."""
    try:
        array = pa.Array.from_pandas(values)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if types.is_dictionary(array.type):
            coded = _is_text(array.type) or types.is_null(array.type.value_type)
            return array.cast(_TEXT_CATEGORIES) if coded else array.dictionary_decode()
        if types.is_large_string(array.type):
            array = _usual_text(array)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ParquetError(
            f"column {name!r} is {values.dtype} and cannot be written: {first_line(error)}"
        ) from error
    if values.dtype == object and not types.is_nested(array.type):
        _check_unchanged(name, values, array)
    return array


def in_our_types(table: pa.Table) -> pa.Table:
    """Cast columns of the schema that another tool's copy of the file has left in plainer types.

    Among these are durations as integers, which is how SQL engines see and write them.
    """
    for place, field in enumerate(table.schema):
        if field.name in SCHEMA.names:
            ours = SCHEMA.field(field.name)
            values = table.column(place)
            if types.is_duration(ours.type) and types.is_integer(values.type):
                values = values.cast(pa.int64()).cast(ours.type)
            kept = ours.with_metadata({**ours.metadata, **(field.metadata or {})})
            table = table.set_column(place, kept, as_promised(field.name, values))
    return table


def named_twice(names: Iterable[str]) -> list[str]:
    """List the names that more than one column has."""
    counted = list(names)
    return [name for name in dict.fromkeys(counted) if counted.count(name) > 1]


def _usual_text(array: pa.Array) -> pa.ChunkedArray:
    slices = (array.slice(start, _CHUNK) for start in range(0, len(array), _CHUNK))
    # Put together with nothing, a slice is a copy that counts from its own beginning.
    chunks = [pa.concat_arrays([slice_, array[:0]]).cast(pa.string()) for slice_ in slices]
    return pa.chunked_array(chunks, pa.string())


def _check_unchanged(name: str, values: pd.Series[Any], array: pa.Array) -> None:
    """Refuse objects that Arrow has made alike: an aware time beside a naive one, say."""
    for given, kept in zip(values, array.to_pylist(), strict=True):
        if kept is not None and kept != given:
            raise ParquetError(
                f"column {name!r} mixes types: {given!r} would be written as {kept!r}"
            )


def _nulls(values: Values, kind: pa.DataType) -> Values:
    nulls = pa.nulls(len(values), kind)
    return pa.chunked_array([nulls]) if isinstance(values, pa.ChunkedArray) else nulls
