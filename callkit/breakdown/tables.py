"""Breakdowns laid out as tables: a row per group, empty periods and totals where asked for."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from callkit.breakdown.columns import each_once, instants
from callkit.breakdown.groups import Groups
from callkit.breakdown.keys import read_keys
from callkit.breakdown.periods import period_bounds
from callkit.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Layout", "tabulate"]

_MARK = "total_over"
_MOST_ROWS = 10_000_000


@dataclass(frozen=True)
class Layout:
    """What rows a breakdown has: by which keys and periods, and what stands beside the groups."""

    by: Sequence[str]
    freq: str | None
    tz: str
    fill: bool
    margins: bool
    never_totalled: str | None = None


def tabulate(
    df: pd.DataFrame,
    layout: Layout,
    measure: Callable[[Groups], dict[str, object]],
    names: Sequence[str],
) -> pd.DataFrame:
    """Group calls by the keys of `layout` and measure each group.

    Parameters
    ----------
    df : DataFrame
        Calls.
    layout : Layout
    measure : callable
        Gives the columns of measures, one value for each group.
    names : sequence of str
        What the measures are called, in their order.
    """
    each_once(df)
    groups = Groups(read_keys(df, layout.by, layout.freq, layout.tz, [*names, _MARK]))
    if layout.fill:
        groups = _filled(df, groups, layout)
    if not layout.margins:
        return _table(groups, measure, names)
    groups.keys = groups.keys.apply(_nullable)
    parts = [_table(groups, measure, names)]
    parts[0].insert(groups.keys.shape[1], _MARK, pd.Series(None, parts[0].index, dtype="str"))
    keys = groups.keys.columns.tolist()
    totalled = [name for name in keys if name != layout.never_totalled]
    for over in (some for n in range(len(totalled)) for some in combinations(totalled, n + 1)):
        kept = groups.coarser([name for name in keys if name not in over])
        total = _table(kept, measure, names)
        parts.append(_marked(total, parts[0], over))
    return pd.concat(parts, ignore_index=True)


def _table(
    groups: Groups, measure: Callable[[Groups], dict[str, object]], names: Sequence[str]
) -> pd.DataFrame:
    measures = pd.DataFrame(measure(groups), index=groups.keys.index)
    return pd.concat([groups.keys, measures[list(names)]], axis="columns")


def _filled(df: pd.DataFrame, groups: Groups, layout: Layout) -> Groups:
    """Add a group without calls for each period that a combination of the other keys lacks."""
    if layout.freq is None:
        raise FrameError("fill=True puts in the empty periods: it needs a freq, such as 'D'")
    starts = instants(df).dropna()
    if starts.empty:
        return groups
    bounds = period_bounds(starts.min(), starts.max(), layout.freq, layout.tz)
    periods = bounds[:-1]
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


def _marked(total: pd.DataFrame, groups: pd.DataFrame, over: Sequence[str]) -> pd.DataFrame:
    """Give totals the columns of the groups, null the keys they are over, and the mark."""
    columns = {name: groups[name].iloc[:0].reindex(total.index) for name in over}
    columns[_MARK] = pd.Series(", ".join(over), total.index, dtype="str")
    return total.assign(**columns)[groups.columns]
