"""Calls put into groups, exact figures for every group, and the table of them.

A table has a row per group; empty periods and totals where they are asked for.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from callkit.breakdown.columns import covering, each_once, instants
from callkit.breakdown.keys import read_keys
from callkit.breakdown.periods import period_bounds
from callkit.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from callkit.schema import Column

__all__ = ["Groups", "Layout", "tabulate"]

_MARK = "total_over"
_MOST_ROWS = 10_000_000
_LARGEST = 2**62
# Counting how often each value occurs in each group beats sorting while there are not many more
# counters than calls.
_COUNTERS_PER_CALL = 4


class Layout(NamedTuple):
    """What rows a breakdown has: by which keys and periods, and which besides those of groups."""

    by: Sequence[str]
    freq: str | None
    tz: str
    fill: bool
    margins: bool
    never_totalled: str | None = None


class Groups:
    """The groups of calls that share their keys.

    A missing key is a key like another. Groups are sorted by their keys, one after the other:
    ascending, categories in the order of their vocabulary, missing keys last.

    Attributes
    ----------
    keys : DataFrame
        One row per group.
    codes : ndarray of int64
        For each call, the row of its group.
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

    def coarser(self, names: Sequence[str]) -> Groups:
        """Put the same calls together by some of the keys only."""
        return self._regrouped(self.keys[list(names)])

    def beside(self, keys: pd.DataFrame) -> Groups:
        """Add groups with these keys where there are none: they hold no call."""
        return self._regrouped(pd.concat([self.keys, keys], ignore_index=True))

    def count(self, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Count the calls in each group, all or the `chosen` ones."""
        if chosen is None:
            return np.bincount(self.codes, minlength=len(self)).astype(np.int64)
        return self.total(chosen.astype(np.int64))

    def total(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up the values of each group, in integers."""
        totals = np.zeros(len(self), dtype=np.int64)
        np.add.at(totals, self.codes, values)
        return totals

    def most(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the largest value of each group."""
        largest = np.full(len(self), np.iinfo(np.int64).min)
        np.maximum.at(largest, self.codes, values)
        return largest

    def nearest_ranks(
        self, values: NDArray[np.int64], chosen: NDArray[np.bool_], percents: Sequence[int]
    ) -> list[NDArray[np.int64]]:
        """Find the percentiles of the `chosen` values of each group; 0 where there are none.

        The p-th percentile of n values is the one of rank ⌈p · n / 100⌉, the smallest having
        rank 1: always a value that occurred, and what SQL's ``percentile_disc`` gives.
        """
        ranks, distinct = pd.factorize(values[chosen], sort=True)
        if len(distinct) == 0:
            return [np.zeros(len(self), dtype=np.int64) for _ in percents]
        # one number says group and value, and is ordered as they are
        ordered = _Ordered(self.codes[chosen] * len(distinct) + ranks, len(self) * len(distinct))
        counts = self.count(chosen)
        starts = np.cumsum(counts) - counts
        found = []
        for percent in percents:
            places = starts + np.maximum(-(-percent * counts // 100), 1) - 1
            picked = distinct[ordered.at(np.minimum(places, len(ranks) - 1)) % len(distinct)]
            found.append(np.where(counts > 0, picked, 0))
        return found

    def _regrouped(self, keys: pd.DataFrame) -> Groups:
        """Group by `keys`, whose first rows are of these groups."""
        groups = Groups(keys)
        groups.codes = groups.codes[self.codes]
        return groups


class _Ordered:
    """Numbers from 0 up to `size`, in ascending order."""

    def __init__(self, numbers: NDArray[np.int64], size: int) -> None:
        self._counted = size <= _COUNTERS_PER_CALL * len(numbers)
        if self._counted:
            self._numbers = np.cumsum(np.bincount(numbers, minlength=size))
        else:
            self._numbers = np.sort(numbers)

    def at(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Find the numbers that stand at these places."""
        if self._counted:
            return np.searchsorted(self._numbers, places, side="right").astype(np.int64)
        return self._numbers[places]


def tabulate(
    df: pd.DataFrame,
    layout: Layout,
    columns: Sequence[Column],
    measure: Callable[[Groups], dict[str, object]],
) -> pd.DataFrame:
    """Group calls by the keys of `layout`, and `measure` the `columns` of each group."""
    each_once(df)
    names = [column.name for column in columns]
    groups = Groups(read_keys(df, layout.by, layout.freq, layout.tz, [*names, _MARK]))
    if layout.fill:
        groups = _filled(df, groups, layout)
    if layout.margins:
        groups.keys = groups.keys.apply(_nullable)
    table = _table(groups, measure)
    if layout.margins:
        table = _with_totals(table, groups, measure, layout.never_totalled)
    return covering(table, df, layout.tz)


def _table(groups: Groups, measure: Callable[[Groups], dict[str, object]]) -> pd.DataFrame:
    measures = pd.DataFrame(measure(groups), index=groups.keys.index)
    return pd.concat([groups.keys, measures], axis="columns")


def _with_totals(
    table: pd.DataFrame,
    groups: Groups,
    measure: Callable[[Groups], dict[str, object]],
    never_totalled: str | None,
) -> pd.DataFrame:
    """Append totals over any of the keys: those are null in them, and named by the mark."""
    keys = groups.keys.columns.tolist()
    table.insert(len(keys), _MARK, pd.Series(None, table.index, dtype="str"))
    parts = [table]
    totalled = [name for name in keys if name != never_totalled]
    for over in (some for n in range(len(totalled)) for some in combinations(totalled, n + 1)):
        total = _table(groups.coarser([name for name in keys if name not in over]), measure)
        missing = {name: table[name].iloc[:0].reindex(total.index) for name in over}
        missing[_MARK] = pd.Series(", ".join(over), total.index, dtype="str")
        parts.append(total.assign(**missing)[table.columns])
    return pd.concat(parts, ignore_index=True)


def _filled(df: pd.DataFrame, groups: Groups, layout: Layout) -> Groups:
    """Add a group without calls for each period that a combination of the other keys lacks."""
    if layout.freq is None:
        raise FrameError("fill=True puts in the empty periods: it needs a freq, such as 'D'")
    starts = instants(df).dropna()
    if starts.empty:
        return groups
    periods = period_bounds(starts.min(), starts.max(), layout.freq, layout.tz)[:-1]
    others = groups.coarser(groups.keys.columns.drop("period").tolist()).keys
    if len(periods) * len(others) > _MOST_ROWS:
        raise FrameError(
            f"fill=True would give {len(periods):,} periods of {layout.freq!r} for each of "
            f"{len(others):,} combinations of keys: take longer periods or fewer keys"
        )
    every = others.iloc[np.repeat(np.arange(len(others)), len(periods))]
    of_each = np.tile(np.arange(len(periods)), len(others))
    every.insert(0, "period", periods[of_each].astype(groups.keys["period"].dtype))
    return groups.beside(every)


def _nullable(key: pd.Series) -> pd.Series:
    whole = isinstance(key.dtype, np.dtype) and key.dtype.kind in "iub"
    return key.convert_dtypes() if whole else key


def _ranked(key: pd.Series) -> tuple[NDArray[np.int64], int]:
    if isinstance(key.dtype, pd.CategoricalDtype):
        codes, size = key.cat.codes.to_numpy(), len(key.dtype.categories)
    else:
        codes, size = _factorized(key)
    return np.where(codes < 0, size, codes).astype(np.int64), size + 1


def _factorized(key: pd.Series) -> tuple[NDArray[np.intp], int]:
    try:
        codes, distinct = pd.factorize(key, sort=True)
    except TypeError as error:
        raise FrameError(
            f"by={key.name!r} holds values that cannot be grouped ({error}): it should hold text, "
            "numbers or times"
        ) from error
    return codes, len(distinct)


def _dense(codes: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], int]:
    """Renumber the codes that occur from 0, in their order."""
    if size > len(codes):
        dense, distinct = pd.factorize(codes, sort=True)
        return dense.astype(np.int64), len(distinct)
    occurs = np.bincount(codes, minlength=size) > 0
    return (np.cumsum(occurs) - 1)[codes], int(occurs.sum())
