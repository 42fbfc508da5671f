"""Bars of money: stacked over time, or one for each key.

Both draw rows of ``label``, ``cost`` (float64, null where there is none) and, over time,
``period``. `labels` lists what to draw, the dearest first; `rest` is the one that stands for many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd

from callkit.charts.style import amount, colours, shorten, thousands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

__all__ = ["horizontal", "stacked"]

_REST: dict[str, Any] = {
    "facecolor": "0.8",
    "hatch": "////",
    "edgecolor": "0.45",
    "linewidth": 0,
}
_SHARE = 0.8  # of its period that a bar fills
_CROWDED = 100  # bars from which the gaps between them would flicker
_FEW = 4  # bars up to which each has a date of its own
_MOST_TICKS = 9
_KEY_LABEL = 28
_LEGEND_LABEL = 36


def stacked(
    ax: Axes, rows: pd.DataFrame, labels: Sequence[str], rest: str | None, currency: str
) -> None:
    """Draw one bar per period, a layer per label; what is below zero hangs from zero."""
    started = rows[rows["period"].notna()]
    heights = started.pivot_table(index="period", columns="label", values="cost", aggfunc="sum")
    heights = heights.reindex(columns=list(labels)).fillna(0)
    periods = pd.DatetimeIndex(heights.index)
    places = mdates.date2num(periods.tz_convert("UTC").tz_localize(None))  # type: ignore[no-untyped-call]
    gap = np.diff(places).min() if len(places) > 1 else 1.0
    width = gap if len(places) > _CROWDED else gap * _SHARE
    above, below = np.zeros(len(places)), np.zeros(len(places))
    for label, colour in zip(labels, colours(len(labels)), strict=True):
        look = _REST if label == rest else {"color": colour}
        values = heights[label].to_numpy()
        base = np.where(values >= 0, above, below)
        ax.bar(places, values, width, bottom=base, label=shorten(label, _LEGEND_LABEL), **look)
        above, below = above + values.clip(min=0), below + values.clip(max=0)
    if len(places):
        ax.set_xlim(places[0] - gap, places[-1] + gap)
        _date_ticks(ax, places.tolist(), periods)
    ax.set_xlabel(f"start of the period ({periods.tz})")
    ax.set_ylabel(currency)
    thousands(ax.yaxis)
    ax.axhline(0, **_axis_line())


def horizontal(
    ax: Axes, rows: pd.DataFrame, labels: Sequence[str], rest: str | None, currency: str
) -> None:
    """Draw one bar per label, the dearest on top and the rest last, its amount at its end."""
    widths = rows.groupby("label")["cost"].sum(min_count=1).reindex(list(labels)).dropna()
    widths = widths.sort_values(ascending=False, kind="stable")
    widths = widths.loc[sorted(widths.index, key=lambda label: label == rest)]
    bars = ax.barh(range(len(widths)), widths.to_numpy(), _SHARE)
    for bar, label in zip(bars, widths.index, strict=True):
        if label == rest:
            bar.set(**_REST)
    ax.bar_label(bars, [amount(width) for width in widths], padding=3, fontsize="small")
    ax.set_yticks(range(len(widths)), [shorten(label, _KEY_LABEL) for label in widths.index])
    ax.invert_yaxis()
    ax.margins(x=0.16)
    ax.set_xlabel(currency)
    thousands(ax.xaxis)
    ax.axvline(0, **_axis_line())


def _axis_line() -> dict[str, Any]:
    return {"color": mpl.rcParams["axes.edgecolor"], "linewidth": mpl.rcParams["axes.linewidth"]}


def _date_ticks(ax: Axes, places: list[float], periods: pd.DatetimeIndex) -> None:
    if len(places) <= _FEW:
        days = periods == periods.normalize()
        dates = periods.strftime("%Y-%m-%d" if days.all() else "%Y-%m-%d\n%H:%M")
        ax.set_xticks(places, dates.tolist())
        return
    locator = mdates.AutoDateLocator(periods.tz, minticks=3, maxticks=_MOST_TICKS)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = mdates.ConciseDateFormatter(locator, periods.tz)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
