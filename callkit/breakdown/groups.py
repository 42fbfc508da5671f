"""Calls put into groups: which group each call is in, and exact figures for every group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa

from callkit.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["Groups"]

_LARGEST = 2**62


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

    def count(self, chosen: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Count the calls in each group, all or the `chosen` ones."""
        codes = self.codes if chosen is None else self.codes[chosen]
        return np.bincount(codes, minlength=len(self)).astype(np.int64)

    def aggregate(
        self, columns: Mapping[str, object], wanted: Sequence[tuple[str, str]]
    ) -> pa.Table:
        """Aggregate Arrow columns in one pass: the table has one row per group, in order."""
        table = pa.table({"group": self.codes, **columns})
        return table.group_by("group").aggregate(list(wanted)).sort_by("group")

    def totals(self, **values: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
        """Add up values of each group."""
        sums = self.aggregate(values, [(name, "sum") for name in values])
        return {name: sums[f"{name}_sum"].to_numpy().astype(np.int64) for name in values}

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
        # sorting one number per call is several times faster than sorting by group, then value
        ordered = np.sort(self.codes[chosen] * len(distinct) + ranks)
        counts = self.count(chosen)
        starts = np.cumsum(counts) - counts
        found = []
        for percent in percents:
            places = starts + np.maximum(-(-percent * counts // 100), 1) - 1
            picked = distinct[ordered[np.minimum(places, len(ordered) - 1)] % len(distinct)]
            found.append(np.where(counts > 0, picked, 0))
        return found


def _ranked(key: pd.Series) -> tuple[NDArray[np.int64], int]:
    try:
        codes, distinct = pd.factorize(key, sort=True)
    except TypeError as error:
        raise FrameError(
            f"by={key.name!r} holds values that cannot be grouped ({error}): it should hold text, "
            "numbers or times"
        ) from error
    return np.where(codes < 0, len(distinct), codes).astype(np.int64), len(distinct) + 1


def _dense(codes: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], int]:
    """Renumber the codes that occur from 0, in their order."""
    if size > len(codes):
        dense, distinct = pd.factorize(codes, sort=True)
        return dense.astype(np.int64), len(distinct)
    occurs = np.bincount(codes, minlength=size) > 0
    return (np.cumsum(occurs) - 1)[codes], int(occurs.sum())
