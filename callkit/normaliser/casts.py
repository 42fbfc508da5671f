"""Cast columns of text to types, value by value only where that fails; make DataFrames of tables.

:func:`one_price` reads one price, for the cache too. :func:`table_to_frame` makes the DataFrame of
any table, and :func:`failures_frame` that of the failures. Dates are read by ``dates``.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from callkit.normaliser.dates import abridged, instants, one_instant
from callkit.outcomes import REASONS, Failure, PriceChange
from callkit.schema import ATTRIBUTES, MONEY, SCHEMA, Kind
from callkit.sids import canonical_call_sid

_TEXT = pa.string()
_NULL, _EMPTY = pa.scalar(None, _TEXT), pa.scalar("", _TEXT)
_WHOLE_DIGITS = MONEY.precision - MONEY.scale
_FRACTION_DIGITS = MONEY.scale
_PLAIN_PRICE = rf"^-?[0-9]{{1,{_WHOLE_DIGITS}}}(\.[0-9]{{1,{_FRACTION_DIGITS}}})?$"
_PRICE = re.compile(r"(?P<sign>[+-]?)(?P<whole>[0-9]*)(?:\.(?P<fraction>[0-9]+))?")
# Some 30 years, in either unit: Arrow's own cast would take "0x41" for 65, and "-1".
_DURATION_DIGITS = {"s": 9, "ms": 12}


_VOCABULARIES = {column.name: column.vocabulary for column in ATTRIBUTES}


class _Cast(NamedTuple):
    """How text becomes a column: `whole` nulls what it refuses, and `one` has the last word."""

    whole: Callable[[pa.Array], pa.Array]
    one: Callable[[str], object]


def _matching(text: pa.Array, pattern: str) -> pa.Array:
    """Keep the values that match `pattern`; null the others."""
    taken = pc.match_substring_regex(text, pattern)
    return pc.if_else(taken, text, _NULL) if taken.false_count else text


def _durations(text: pa.Array, unit: str) -> pa.Array:
    digits = _matching(text, rf"^[0-9]{{1,{_DURATION_DIGITS[unit]}}}$")
    return digits.cast(pa.int64()).cast(pa.duration(unit))


def _one_duration(text: str, unit: str) -> int:
    """Refuse `text`: whatever is a whole number, the cast of the column has taken."""
    name = {"s": "seconds", "ms": "milliseconds"}[unit]
    raise ValueError(f"{abridged(text)} is not a whole number of {name}")


def _prices(text: pa.Array) -> pa.Array:
    return _matching(text, _PLAIN_PRICE).cast(MONEY)


def one_price(text: str) -> Decimal:
    """Read a price in any plain decimal form: a sign or not, zeros at either end or none."""
    form = _PRICE.fullmatch(text)
    if form is None or not (form["whole"] or form["fraction"]):
        raise ValueError(f"{abridged(text)} is not a decimal number")
    whole, fraction = form["whole"].lstrip("0"), (form["fraction"] or "").rstrip("0")
    if len(whole) > _WHOLE_DIGITS or len(fraction) > _FRACTION_DIGITS:
        raise ValueError(
            f"{abridged(text)} has too many digits: a price has at most {_WHOLE_DIGITS} before "
            f"the decimal point and {_FRACTION_DIGITS} after it"
        )
    return Decimal(f"{form['sign']}{whole or '0'}.{fraction or '0'}")


def _one_sid(text: str) -> str:
    sid = canonical_call_sid(text)
    if sid is None:
        raise ValueError(
            f"{abridged(text)} is not a Call SID: expected 'CA' followed by 32 hexadecimal digits"
        )
    return sid


_BY_KIND = {
    Kind.INSTANT: _Cast(instants, one_instant),
    Kind.SECONDS: _Cast(partial(_durations, unit="s"), partial(_one_duration, unit="s")),
    Kind.MILLISECONDS: _Cast(partial(_durations, unit="ms"), partial(_one_duration, unit="ms")),
    Kind.MONEY: _Cast(_prices, one_price),
}
_CASTS = {column.name: _BY_KIND[column.kind] for column in ATTRIBUTES if column.kind in _BY_KIND}
_canonical_sids = partial(_matching, pattern="^CA[0-9a-f]{32}$")
# The SIDs that legs are joined by: compared as `callkit.sids` writes them.
_CASTS["sid"] = _Cast(_canonical_sids, _one_sid)
_CASTS["parent_call_sid"] = _Cast(_canonical_sids, lambda text: canonical_call_sid(text) or text)


def typed_columns(texts: Sequence[pa.Array]) -> tuple[list[pa.Array], dict[int, str]]:
    """Cast the columns of text; the empty text is absence, which the API writes so too.

    The values are null where the text is absent or broken, and categories are still text. The dict
    says what is wrong with the rows that have broken values: the first of each.
    """
    columns: list[pa.Array] = []
    reasons: dict[int, str] = {}
    for column, text in zip(ATTRIBUTES, texts, strict=True):
        empty = pc.equal(text, _EMPTY)
        given = pc.if_else(empty, _NULL, text) if empty.true_count else text
        cast = _CASTS.get(column.name)
        values = given if cast is None else cast.whole(given)
        if cast is not None and values.null_count > given.null_count:
            values, broken = _corrected(values, given, cast.one)
            for row, reason in broken.items():
                reasons.setdefault(row, f"{column.name}: {reason}")
        columns.append(values)
    return columns, reasons


def _corrected(
    values: pa.Array, text: pa.Array, one: Callable[[str], object]
) -> tuple[pa.Array, dict[int, str]]:
    """Read one by one what the cast has nulled."""
    refused = pc.and_(text.is_valid(), values.is_null())
    readings: list[object] = []
    broken: dict[int, str] = {}
    for row in pc.indices_nonzero(refused).to_pylist():
        try:
            readings.append(one(text[row].as_py()))
        except ValueError as error:
            readings.append(None)
            broken[row] = str(error)
    if len(broken) < len(readings):
        values = pc.replace_with_mask(values, refused, pa.array(readings, values.type))
    return values, broken


def categorical(
    column: pa.ChunkedArray, vocabulary: Sequence[Any], kind: pa.DataType = _TEXT
) -> pa.ChunkedArray:
    """Encode values as categories: the vocabulary, then what it lacks in the order of appearance.

    `kind` is the type of the categories.
    """
    values = column.cast(kind)
    listed = pa.array(vocabulary, kind)
    met = pc.unique(values)
    met = met.filter(pc.invert(pc.is_in(met, listed, skip_nulls=False)))
    categories = pa.concat_arrays([listed, met.drop_null()]) if len(met) else listed
    chunks = values.chunks or [listed[:0]]  # without a chunk pandas would see no categories at all
    encoded = [
        pa.DictionaryArray.from_arrays(pc.index_in(chunk, categories), categories)
        for chunk in chunks
    ]
    return pa.chunked_array(encoded, pa.dictionary(pa.int32(), kind))


def with_categories(calls: pa.Table) -> pa.Table:
    """Make a table of the schema of one whose categories are still text."""
    columns = calls.columns
    for place, column in enumerate(ATTRIBUTES):
        if column.kind is Kind.CATEGORY:
            columns[place] = categorical(columns[place], column.vocabulary)
    return pa.table(columns, schema=SCHEMA)


def table_to_frame(table: pa.Table) -> pd.DataFrame:
    """Make a DataFrame of an Arrow table, any columns of it, without a dtype left to the data.

    Text becomes ``str``; dictionaries ``category``, the schema's vocabulary first; instants
    ``datetime64[us, UTC]``; the schema's durations ``timedelta64[ms]`` (in whole seconds pandas
    would truncate a mean), others keep their unit; decimals are exact, backed by Arrow.
    """
    decimals: dict[pa.DataType, pd.ArrowDtype] = {}
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_dictionary(field.type):
            column = categorical(column, _VOCABULARIES.get(field.name, ()))
        elif pa.types.is_duration(field.type) and field.name in SCHEMA.names:
            column = column.cast(pa.duration("ms"))
        else:
            if pa.types.is_decimal(field.type):
                decimals[field.type] = pd.ArrowDtype(field.type)
            continue
        table = table.set_column(place, field.with_type(column.type), column)
    table = table.replace_schema_metadata(None)  # what pandas wrote there may be damaged
    frame: pd.DataFrame = table.to_pandas(types_mapper=decimals.get)
    return frame


_FAILURE_DTYPES: dict[str, Any] = {
    "sid": "str",
    "account_sid": "str",
    "reason": pd.CategoricalDtype(list(REASONS)),
    "message": "str",
    "http_status": "Int64",
    "code": "Int64",
    "request_id": "str",
    "attempts": "int64",
    "day": "str",
}


def failures_frame(failures: Iterable[Failure]) -> pd.DataFrame:
    """Make the frame of failures: one row each, the same columns and dtypes however many."""
    rows = list(map(astuple, failures))
    return pd.DataFrame(rows, columns=list(_FAILURE_DTYPES)).astype(_FAILURE_DTYPES)


def price_changes_frame(changes: Iterable[PriceChange]) -> pd.DataFrame:
    money = pd.ArrowDtype(MONEY)
    dtypes: dict[str, Any] = {"sid": "str", "old": money, "new": money}
    return pd.DataFrame(list(map(astuple, changes)), columns=list(dtypes)).astype(dtypes)
