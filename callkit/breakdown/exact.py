"""The columns of calls as exact integers, and exact integers as the columns of a breakdown.

Money is counted in hundred-millionths of the price unit, the last place of ``decimal128(18, 8)``,
durations in milliseconds. Means are rounded half-even, once, at the end.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from os import PathLike
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as kinds
from numpy.typing import NDArray

from callkit.errors import FrameError
from callkit.schema import ATTRIBUTES, MONEY

Ints: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

_PLACES = MONEY.scale
_MOST = 10**MONEY.precision - 1
_LAST_PLACE = pa.scalar(Decimal(1).scaleb(-_PLACES), pa.decimal128(8, 8))
_HINT = "read the file with callkit.read_parquet, or make the frame with callkit.to_frame"
_SID_LENGTH = 34


def need(df: object, columns: Sequence[str]) -> None:
    """Refuse anything but a DataFrame with these columns."""
    if not isinstance(df, pd.DataFrame):
        raise FrameError(f"Expected a pandas DataFrame of calls, not {_kind(df)}: {_advice(df)}")
    missing = [name for name in columns if name not in df.columns]
    if missing:
        known = {column.name for column in ATTRIBUTES}
        hint = "" if known.isdisjoint(df.columns) else " (was it read with columns=?)"
        raise FrameError(f"Missing columns: {', '.join(map(repr, missing))}{hint}")
    twice = [name for name in columns if isinstance(df[name], pd.DataFrame)]
    if twice:
        raise FrameError(
            f"Duplicate column names: {', '.join(map(repr, twice))}. Keep one of each, for "
            "example with df.loc[:, ~df.columns.duplicated()]"
        )


def _kind(thing: object) -> str:
    module, name = type(thing).__module__.partition(".")[0], type(thing).__name__
    return f"a {name}" if module == "builtins" else f"{module}.{name}"


def _advice(thing: object) -> str:
    for method in ("to_pandas", "toPandas", "collect"):
        if hasattr(thing, method):
            return f"pass df.{method}(){'.to_pandas()' if method == 'collect' else ''}"
    if isinstance(thing, str | PathLike):
        return "read the file with callkit.read_parquet"
    return "callkit.normalise makes one from bodies, and callkit.to_frame from a SID list"


def prices(df: pd.DataFrame) -> tuple[Ints, Flags]:
    """Read the prices: how many hundred-millionths, and where that is known."""
    values = _read(df, "price", "exact decimals", kinds.is_decimal)
    try:
        whole = values.cast(MONEY).combine_chunks()
    except pa.ArrowInvalid as error:
        raise FrameError(
            "Column 'price' has more digits than fit into decimal(18, 8): expected at most ten "
            "before the decimal point and eight after it"
        ) from error
    # Arrow keeps a decimal as a whole number of its last place, in 16 bytes, the least first; of 18
    # digits the first eight bytes hold all.
    words = np.frombuffer(whole.buffers()[1] or b"", dtype="<i8")[2 * whole.offset :: 2]
    known = np.asarray(whole.is_valid())
    return np.where(known, words[: len(whole)], 0), known


def milliseconds(df: pd.DataFrame, name: str) -> tuple[Ints, Flags]:
    """Read a column of durations: how many milliseconds, and where that is known."""
    whole = _read(df, name, "durations", kinds.is_duration).cast(pa.duration("ms")).cast(pa.int64())
    return whole.fill_null(0).to_numpy(), np.asarray(whole.is_valid())


def instants(df: pd.DataFrame, name: str = "start_time") -> pd.Series:
    values = _read(
        df,
        name,
        "instants with a zone",
        lambda kind: kinds.is_timestamp(kind) and kind.tz is not None,
    )
    times = values.cast(pa.timestamp("us", tz="UTC")).to_pandas().to_numpy("datetime64[us]")
    return pd.Series(times, index=df.index).dt.tz_localize("UTC")


def _read(
    df: pd.DataFrame, name: str, wanted: str, holds: Callable[[pa.DataType], bool]
) -> pa.ChunkedArray:
    try:
        values = pa.chunked_array(pa.Table.from_pandas(df[[name]], preserve_index=False)[name])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise FrameError(
            f"Column {name!r} holds values of several types: expected {wanted}; {_HINT}"
        ) from error
    if not (holds(values.type) or kinds.is_null(values.type)):
        raise FrameError(f"Column {name!r} has dtype {df[name].dtype}: expected {wanted}; {_HINT}")
    return values


def any_of(df: pd.DataFrame, name: str, values: Iterable[str]) -> Flags:
    """For each call, whether `name` is one of `values`; null is not."""
    column = df[name]
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.isin(list(values)).to_numpy(bool, copy=True)
    chosen = np.append(column.cat.categories.isin(list(values)), False)
    return chosen[column.cat.codes]  # the code of a missing one is -1


def each_once(df: pd.DataFrame) -> None:
    """Refuse duplicate calls, such as a wrong merge leaves."""
    if "sid" not in df.columns or not len(df):
        return
    sids = df["sid"].dropna()
    read = _read(df, "sid", "Call SIDs", lambda _kind: True)
    if _surely_distinct(read.drop_null()) or sids.is_unique:
        return
    again = sids[sids.duplicated()]
    count = again.nunique()
    raise FrameError(
        f"Duplicate calls: {count:,} {'SID occurs' if count == 1 else 'SIDs occur'} more than once "
        f"(for example {again.iloc[0]}). Remove them with drop_duplicates('sid'); if a merge "
        "multiplied the rows, merge with validate='many_to_one'; if the rows are meant to repeat, "
        "drop the column 'sid'"
    )


def _surely_distinct(sids: pa.ChunkedArray) -> bool:
    """Compare the first 16 hexadecimal digits of SIDs as numbers, which is faster than as text."""
    if not (kinds.is_string(sids.type) or kinds.is_large_string(sids.type)):
        return False
    hashes = [np.empty(0, dtype=np.uint64)]
    odd = np.uint64(0x9E3779B97F4A7C15)  # multiplying by an odd number loses nothing
    for chunk in sids.cast(pa.large_string()).chunks:
        _, starts, text = chunk.buffers()
        ends = np.frombuffer(starts, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if (np.diff(ends) != _SID_LENGTH).any():
            return False
        letters = np.frombuffer(text, dtype=np.uint8)[ends[0] : ends[-1]].reshape(-1, _SID_LENGTH)
        words = np.ascontiguousarray(letters[:, 2:18]).view(np.uint64)
        hashes.append(words[:, 0] * odd ^ words[:, 1])
    ordered = np.sort(np.concatenate(hashes))
    return bool((ordered[1:] != ordered[:-1]).all())


def covering(
    table: pd.DataFrame, df: pd.DataFrame, tz: str | None = None, *, calls: int | None = None
) -> pd.DataFrame:
    """Set `table.attrs`: those of `df`, the number of calls covered (default: all), and `tz`."""
    said = df.attrs.get("callkit")
    covered: dict[str, object] = {"calls_covered": len(df) if calls is None else calls}
    if tz is not None:
        covered["tz"] = tz
    table.attrs = {"callkit": (said if isinstance(said, dict) else {}) | covered}
    return table


def money(counted: Ints, known: Flags | None = None) -> pd.Series:
    """Turn hundred-millionths back into decimals, null where not `known`."""
    if (np.abs(counted) > _MOST).any():
        raise too_large()
    whole = pa.array(counted, mask=None if known is None else ~known)
    amounts = pc.multiply(whole.cast(pa.decimal128(19, 0)), _LAST_PLACE).cast(MONEY)
    return pd.Series(amounts, dtype=pd.ArrowDtype(MONEY))


def durations(counted: Ints, known: Flags | None = None) -> pd.Series:
    """Turn milliseconds into ``timedelta64[ms]``, null where not `known`."""
    values = counted.astype("timedelta64[ms]")
    if known is not None:
        values[~known] = np.timedelta64("NaT", "ms")
    return pd.Series(values)


def divide(dividend: Ints, divisor: Ints, *, times: int = 1) -> Ints:
    """Divide, multiply by `times` and round half-even, in one exact step; 0 for a divisor of 0."""
    divisors = np.where(divisor == 0, 1, divisor)
    whole, rest = np.divmod(np.where(divisor == 0, 0, dividend), divisors)
    if (np.abs(whole) > _MOST // times).any():
        raise too_large()
    more, rest = np.divmod(rest * times, divisors)
    return _half_even(whole * times + more, rest, divisors)


def long_division(dividend: Ints, divisor: Ints) -> Ints:
    """Divide into hundred-millionths, half-even, digit by digit so that nothing overflows."""
    quotient, rest = np.divmod(dividend, divisor)
    for _ in range(_PLACES):
        digit, rest = np.divmod(rest * 10, divisor)
        quotient = quotient * 10 + digit
    return _half_even(quotient, rest, divisor)


def _half_even(quotient: Ints, rest: Ints, divisor: Ints) -> Ints:
    tie = (rest == divisor - rest) & (quotient % 2 == 1)
    rounded: Ints = quotient + (tie | (rest > divisor - rest))
    return rounded


def too_large() -> FrameError:
    return FrameError(
        "An amount of this breakdown is 10,000,000,000 or more and does not fit "
        "decimal(18, 8). Use more keys or shorter periods"
    )
