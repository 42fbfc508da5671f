"""Calls put into groups, exact figures for every group, and the table with a row for each."""

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from callkit.breakdown.exact import Flags, Ints, covering, each_once, instants
from callkit.breakdown.keys import period_bounds, read_keys
from callkit.errors import FrameError
from callkit.schema import Column, Kind

Measured: TypeAlias = dict[str, pd.Series | Ints | NDArray[np.float64]]

_MARK = "total_over"
_MOST_ROWS = 10_000_000
_LARGEST = 2**62


class Groups:
    """The groups of calls that share their keys.

    A missing key is a key like any other. Groups are sorted as in :func:`cost_breakdown`. `keys`
    has one row per group, `codes` the row of its group for each call.
    """

    def __init__(self, keys: pd.DataFrame) -> None:
        codes, size = np.zeros(len(keys), dtype=np.int64), 1
        for name in keys.columns:
            ranks, radix = _ranked(keys[name])
            if size * radix > _LARGEST:
                codes, size = _dense(codes, size)
            codes, size = codes * radix + ranks, size * radix
        codes, size = _dense(codes, size)
        first = np.empty(size, dtype=np.int64)
        first[codes[::-1]] = np.arange(len(keys))[::-1]
        self.codes = codes
        self.keys = keys.iloc[first].reset_index(drop=True)

    def __len__(self) -> int:
        return len(self.keys)

    def regrouped(self, keys: pd.DataFrame) -> "Groups":
        """Group the same calls by `keys`: first those of these groups, then any without calls."""
        groups = Groups(keys)
        groups.codes = groups.codes[self.codes]
        return groups

    def count(self, chosen: Flags | None = None) -> Ints:
        return self.total(np.ones_like(self.codes) if chosen is None else chosen.astype(np.int64))

    def total(self, values: Ints) -> Ints:
        totals = np.zeros(len(self), dtype=np.int64)
        np.add.at(totals, self.codes, values)
        return totals

    def most(self, values: Ints) -> Ints:
        largest = np.full(len(self), np.iinfo(np.int64).min)
        np.maximum.at(largest, self.codes, values)
        return largest

    def nearest_ranks(self, values: Ints, chosen: Flags, percents: Sequence[int]) -> list[Ints]:
        """Find the values of rank ⌈percent · n / 100⌉ of each group's n `chosen`; 0 without any."""
        ranks, distinct = pd.factorize(values[chosen], sort=True)
        if len(distinct) == 0:
            return [np.zeros(len(self), dtype=np.int64) for _ in percents]
        # one number for group and value, in their order
        ordered = np.sort(self.codes[chosen] * len(distinct) + ranks)
        counts = self.count(chosen)
        starts = np.cumsum(counts) - counts
        found = []
        for percent in percents:
            places = starts + np.maximum(-(-percent * counts // 100), 1) - 1
            picked = distinct[ordered[np.minimum(places, len(ranks) - 1)] % len(distinct)]
            found.append(np.where(counts > 0, picked, 0))
        return found


def tabulate(
    df: pd.DataFrame,
    by: Sequence[str],
    columns: Sequence[Column],
    measure: Callable[[Groups], Measured],
    *,
    freq: str | None,
    tz: str,
    fill: bool,
    margins: bool,
) -> pd.DataFrame:
    """Group calls by keys and periods, and `measure` the `columns` of each group."""
    each_once(df)
    taken = [*(column.name for column in columns), _MARK]
    groups = Groups(read_keys(df, by, freq, tz, taken))
    if fill:
        groups = _filled(df, groups, freq, tz)
    if margins:
        groups.keys = groups.keys.apply(_nullable)
    table = groups.keys.assign(**measure(groups))
    if margins:
        # Currencies are never added.
        apart = "price_unit" if Kind.MONEY in {column.kind for column in columns} else None
        totalled = [name for name in groups.keys.columns.tolist() if name != apart]
        table = _with_totals(table, groups, measure, totalled)
    return covering(table, df, tz)


def _with_totals(
    table: pd.DataFrame,
    groups: Groups,
    measure: Callable[[Groups], Measured],
    totalled: Sequence[str],
) -> pd.DataFrame:
    """Append the totals over any of the keys, which are null there and named by the mark."""
    table.insert(groups.keys.shape[1], _MARK, pd.Series(None, table.index, dtype="str"))
    parts = [table]
    for over in (some for n in range(len(totalled)) for some in combinations(totalled, n + 1)):
        fewer = groups.regrouped(groups.keys.drop(columns=list(over)))
        total = fewer.keys.assign(**measure(fewer))
        missing = {name: table[name].iloc[:0].reindex(total.index) for name in over}
        missing[_MARK] = pd.Series(", ".join(over), total.index, dtype="str")
        parts.append(total.assign(**missing)[table.columns])
    return pd.concat(parts, ignore_index=True)


def _filled(df: pd.DataFrame, groups: Groups, freq: str | None, tz: str) -> Groups:
    """Add a group without calls for each period that a combination of the other keys lacks."""
    if freq is None:
        raise FrameError("fill=True adds empty periods and needs freq, for example freq='D'")
    starts = instants(df).dropna()
    if starts.empty:
        return groups
    periods = period_bounds(starts.min(), starts.max(), freq, tz)[:-1]
    others = groups.regrouped(groups.keys.drop(columns="period")).keys
    if len(periods) * len(others) > _MOST_ROWS:
        raise FrameError(
            f"fill=True would add {len(periods):,} periods of {freq!r} for each of "
            f"{len(others):,} combinations of keys: use longer periods or fewer keys"
        )
    every = others.iloc[np.repeat(np.arange(len(others)), len(periods))]
    of_each = np.tile(np.arange(len(periods)), len(others))
    every.insert(0, "period", periods[of_each].astype(groups.keys["period"].dtype))
    return groups.regrouped(pd.concat([groups.keys, every], ignore_index=True))


def _nullable(key: pd.Series) -> pd.Series:
    whole = isinstance(key.dtype, np.dtype) and key.dtype.kind in "iub"
    return key.convert_dtypes() if whole else key


def _ranked(key: pd.Series) -> tuple[Ints, int]:
    """Rank the values of a key from 0, nulls last; also return the number of ranks."""
    if isinstance(key.dtype, pd.CategoricalDtype):
        codes, distinct = key.cat.codes.to_numpy(), key.dtype.categories
    else:
        try:
            codes, distinct = pd.factorize(key, sort=True)
        except TypeError as error:
            raise FrameError(
                f"Cannot group by {key.name!r} ({error}): expected text, numbers or times"
            ) from error
    size = len(distinct)
    return np.where(codes < 0, size, codes).astype(np.int64), size + 1


def _dense(codes: Ints, size: int) -> tuple[Ints, int]:
    if size > len(codes):
        dense, distinct = pd.factorize(codes, sort=True)
        return dense.astype(np.int64), len(distinct)
    occurs = np.bincount(codes, minlength=size) > 0
    return (np.cumsum(occurs) - 1)[codes], int(occurs.sum())
