"""Columns of text → typed columns: cast whole, and one by one only what that refuses."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from callkit.normalise.amounts import durations, matching, money, one_duration, one_price
from callkit.normalise.body import abridged, call_sid
from callkit.normalise.dates import instants, one_instant
from callkit.schema import Column, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["categorical", "text_column", "typed_column"]


_TEXT = pa.string()


class _Cast(NamedTuple):
    """How text becomes a column: `whole` nulls what it refuses, and `one` has the last word."""

    whole: Callable[[pa.Array], pa.Array]
    one: Callable[[str], object]


def _canonical_sids(text: pa.Array) -> pa.Array:
    return matching(text, "^CA[0-9a-f]{32}$")


def _one_sid(text: str) -> str:
    sid = call_sid(text)
    if sid is None:
        raise ValueError(f"{abridged(text)} is no Call SID ('CA' and 32 hexadecimal digits)")
    return sid


def _one_parent(text: str) -> str:
    return call_sid(text) or text


_BY_KIND = {
    Kind.INSTANT: _Cast(instants, one_instant),
    Kind.SECONDS: _Cast(partial(durations, unit="s"), partial(one_duration, unit="s")),
    Kind.MILLISECONDS: _Cast(partial(durations, unit="ms"), partial(one_duration, unit="ms")),
    Kind.MONEY: _Cast(money, one_price),
}
# The SIDs that legs are joined by: compared as `callkit.sids` writes them.
_BY_NAME = {
    "sid": _Cast(_canonical_sids, _one_sid),
    "parent_call_sid": _Cast(_canonical_sids, _one_parent),
}


def text_column(column: Column, values: Sequence[Any]) -> pa.Array:
    """Make a column of text: of objects, their JSON."""
    return pa.array(_json_texts(values) if column.kind is Kind.JSON else values, pa.string())


def _json_texts(values: Sequence[Any]) -> list[str | None]:
    encode = msgspec.json.Encoder().encode
    return [None if value is None else encode(value).decode() for value in values]


def typed_column(column: Column, text: pa.Array) -> tuple[pa.Array, dict[int, str]]:
    """Cast `text` to what `column` holds; the empty text is absence, which the API writes so too.

    Returns
    -------
    pyarrow.Array
        The values, null where `text` is null or broken. Categories are still text.
    dict of int to str
        What is wrong with the broken values, by row.
    """
    text = _without_empty(text)
    cast = _BY_NAME.get(column.name) or _BY_KIND.get(column.kind)
    if cast is None:
        return text, {}
    values = cast.whole(text)
    refused = pc.and_(text.is_valid(), values.is_null())
    readings: list[object] = []
    broken: dict[int, str] = {}
    for row in pc.indices_nonzero(refused).to_pylist():
        try:
            readings.append(cast.one(text[row].as_py()))
        except ValueError as error:
            readings.append(None)
            broken[row] = str(error)
    if len(broken) < len(readings):
        values = pc.replace_with_mask(values, refused, pa.array(readings, values.type))
    return values, broken


def _without_empty(text: pa.Array) -> pa.Array:
    empty = pc.equal(text, "")
    return pc.if_else(empty, pa.scalar(None, text.type), text) if pc.any(empty).as_py() else text


def categorical(
    column: pa.ChunkedArray, vocabulary: Sequence[Any], kind: pa.DataType = _TEXT
) -> pa.ChunkedArray:
    """Encode values as categories: the vocabulary, then what it lacks in the order of appearance.

    `kind` is the type of the categories.
    """
    values = column.cast(kind)
    listed = pa.array(vocabulary, kind)
    met = pc.drop_null(pc.unique(values))
    categories = pa.concat_arrays([listed, met.filter(pc.invert(pc.is_in(met, listed)))])
    chunks = values.chunks or [listed[:0]]  # without a chunk pandas would see no categories at all
    return pa.chunked_array(
        [
            pa.DictionaryArray.from_arrays(pc.index_in(chunk, categories), categories)
            for chunk in chunks
        ],
        pa.dictionary(pa.int32(), kind),
    )
