"""Reading the columns of a frame of calls, or saying in one sentence what is wrong with them."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.types as kinds

from callkit.errors import FrameError
from callkit.schema import ATTRIBUTES, MONEY

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["any_of", "each_once", "instants", "milliseconds", "need", "present", "prices"]

_OURS = "read the file with callkit.read_parquet, or make the frame with callkit.to_frame"
_ALL = {column.name for column in ATTRIBUTES}
_SID_LENGTH = 34
_ODD = np.uint64(0x9E3779B97F4A7C15)  # multiplying by an odd number loses nothing


def need(df: object, columns: Iterable[str]) -> None:
    """Refuse what is no frame, or lacks `columns`."""
    if not isinstance(df, pd.DataFrame):
        raise FrameError(f"expected a pandas DataFrame of calls, not {_kind(df)}: {_advice(df)}")
    names = list(dict.fromkeys(columns))
    missing = [name for name in names if name not in df.columns]
    if missing:
        named = ", ".join(map(repr, missing))
        ours = "" if _ALL.isdisjoint(df.columns) else " (was it read with columns=?)"
        raise FrameError(f"the frame of calls lacks the columns it needs here: {named}{ours}")
    twice = [name for name in names if isinstance(df[name], pd.DataFrame)]
    if twice:
        raise FrameError(
            f"the frame of calls has more than one column {', '.join(map(repr, twice))}: leave one "
            "of each, such as by df.loc[:, ~df.columns.duplicated()]"
        )


def _kind(thing: object) -> str:
    module = type(thing).__module__.partition(".")[0]
    name = type(thing).__name__
    return f"a {name}" if module == "builtins" else f"{module}.{name}"


def _advice(thing: object) -> str:
    if hasattr(thing, "to_pandas"):
        return "pass df.to_pandas()"
    if hasattr(thing, "toPandas"):
        return "pass df.toPandas()"
    if hasattr(thing, "collect"):
        return "pass df.collect().to_pandas()"
    if isinstance(thing, str | PathLike):
        return "read the file with callkit.read_parquet"
    return "callkit.normalise makes one of bodies, and callkit.to_frame of a SID list"


def prices(df: pd.DataFrame) -> pa.ChunkedArray:
    """Read the prices, exact: decimal128(18, 8)."""
    values = _arrow(df, "price", "decimals")
    if not (kinds.is_decimal(values.type) or kinds.is_null(values.type)):
        raise FrameError(
            f"price is {df['price'].dtype}, which is not exact: it should be decimals, so {_OURS}"
        )
    try:
        return values.cast(MONEY)
    except pa.ArrowInvalid as error:
        raise FrameError(
            "price holds more digits than fit: it should have at most ten before the point and "
            "eight after it"
        ) from error


def milliseconds(df: pd.DataFrame, name: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Read a column of durations: how many milliseconds, and where that is known."""
    values = _arrow(df, name, "durations")
    if not (kinds.is_duration(values.type) or kinds.is_null(values.type)):
        raise FrameError(f"{name} is {df[name].dtype}: it should be durations, so {_OURS}")
    whole = values.cast(pa.duration("ms")).cast(pa.int64())
    return whole.fill_null(0).to_numpy(), np.asarray(whole.is_valid())


def instants(df: pd.DataFrame, name: str = "start_time") -> pd.Series:
    """Read a column of instants: datetime64[us, UTC]."""
    values = _arrow(df, name, "instants")
    zoned = kinds.is_timestamp(values.type) and values.type.tz is not None
    if not (zoned or kinds.is_null(values.type)):
        raise FrameError(
            f"{name} is {df[name].dtype}: it should be instants, which have a zone, so {_OURS}"
        )
    return pd.Series(
        values.cast(pa.timestamp("us", tz="UTC")).to_pandas().to_numpy("datetime64[us]"),
        index=df.index,
    ).dt.tz_localize("UTC")


def any_of(df: pd.DataFrame, name: str, values: Iterable[str]) -> NDArray[np.bool_]:
    """Say of each call whether `name` is one of `values`; a missing one is not."""
    column = df[name]
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return column.isin(list(values)).to_numpy(bool, copy=True)
    chosen = np.append(column.cat.categories.isin(list(values)), False)
    return chosen[column.cat.codes]  # the code of a missing one is -1


def present(df: pd.DataFrame, name: str) -> NDArray[np.bool_]:
    """Say of each call whether `name` is known."""
    return df[name].notna().to_numpy(bool, copy=True)


def each_once(df: pd.DataFrame) -> None:
    """Refuse a frame in which a call stands twice, as after a merge that went wrong."""
    if "sid" not in df.columns or not len(df):
        return
    sids = df["sid"].dropna()
    if _surely_distinct(_arrow(df, "sid", "Call SIDs").drop_null()) or sids.is_unique:
        return
    again = sids[sids.duplicated()]
    raise FrameError(
        f"calls that stand in the frame more than once: {again.nunique():,}, such as "
        f"{again.iloc[0]}; each would count every time, so drop_duplicates('sid'), or if a merge "
        "multiplied the rows, merge with validate='many_to_one' (if they are meant to repeat, drop "
        "the column sid)"
    )


def _surely_distinct(sids: pa.ChunkedArray) -> bool:
    """Compare the first 16 hexadecimal digits of SIDs as numbers, which is faster than as text."""
    if not (kinds.is_string(sids.type) or kinds.is_large_string(sids.type)):
        return False
    hashes = [np.empty(0, dtype=np.uint64)]
    for chunk in sids.cast(pa.large_string()).chunks:
        _, starts, text = chunk.buffers()
        ends = np.frombuffer(starts, dtype=np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
        if (np.diff(ends) != _SID_LENGTH).any():
            return False
        letters = np.frombuffer(text, dtype=np.uint8)[ends[0] : ends[-1]].reshape(-1, _SID_LENGTH)
        words = np.ascontiguousarray(letters[:, 2:18]).view(np.uint64)
        hashes.append(words[:, 0] * _ODD ^ words[:, 1])
    return _all_differ(np.concatenate(hashes))


def _all_differ(numbers: NDArray[np.uint64]) -> bool:
    """Sort only the numbers that share their leading bits with another: few, if they are random."""
    leading = (numbers >> np.uint64(62 - len(numbers).bit_length())).astype(np.int64)
    ordered = np.sort(numbers[np.bincount(leading)[leading] > 1])
    return bool((ordered[1:] != ordered[:-1]).all())


def _arrow(df: pd.DataFrame, name: str, wanted: str) -> pa.ChunkedArray:
    try:
        return pa.chunked_array(pa.Table.from_pandas(df[[name]], preserve_index=False)[name])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise FrameError(
            f"{name} holds values of several kinds: it should be {wanted}, so {_OURS}"
        ) from error
