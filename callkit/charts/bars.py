"""Bars over time or one for each key, and the axis of time.

Both draw rows of ``label``, ``value`` (float64, null where there is none) and, over time,
``period``. `looks` lists the labels to draw, in their order, and how.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from callkit.charts import style

Floats: TypeAlias = NDArray[np.float64]
Looks: TypeAlias = Mapping[str, Mapping[str, Any]]

_SHARE = 0.8  # of its period, or its line, that a bar fills
_CROWDED = 100  # bars from which the gaps between them would flicker
_MOST_AMOUNTS = 8
_PADDING = 3.0  # how far the amount is off its bar, in points
_MOST_BEYOND = 0.3  # the share of the Axes that amounts may take on either side
_KEY_LABEL = 28
_LEGEND_LABEL = 36
_FEW = 4  # periods up to which each has a date of its own
_DATE = 10  # the letters of a date
_MOST_DATES = 9


def stacked(ax: Axes, rows: pd.DataFrame, looks: Looks, unit: str) -> list[StepPatch]:
    """Draw one bar per period, a layer per label; what is below zero hangs from zero.

    Return the layers, for the legend: none where nothing has started.
    """
    heights = rows.pivot_table(index="period", columns="label", values="value", aggfunc="sum")
    heights = heights.reindex(columns=list(looks)).fillna(0)
    periods = pd.DatetimeIndex(heights.index)
    places = places_of(periods)
    above, below = np.zeros(len(places)), np.zeros(len(places))
    layers = []
    for label, look in looks.items() if len(places) else ():
        values = heights[label].to_numpy()
        base = np.where(values >= 0, above, below)
        name = style.shorten(label, _LEGEND_LABEL)
        layers.append(_layer(ax, places, base, values, label=name, **look))
        above, below = above + values.clip(min=0), below + values.clip(max=0)
    if len(places):
        gap = spacing(places)
        ax.set_xlim(places[0] - gap, places[-1] + gap)
    label_periods(ax, periods)
    ax.set_ylabel(unit, parse_math=False)
    style.thousands(ax.yaxis)
    ax.axhline(0, **_axis_line())
    return layers


def _layer(ax: Axes, places: Floats, base: Floats, values: Floats, **look: Any) -> StepPatch:
    """Draw the bars of a layer as one outline, which stays quick and without seams for many."""
    lefts, rights = _sides(places)
    edges = np.column_stack([lefts, rights]).ravel()
    parted = rights[:-1] < lefts[1:]
    tops = np.repeat(base + values, 2)[:-1]
    tops[1::2][parted] = np.nan
    return ax.stairs(tops, edges, baseline=np.repeat(base, 2)[:-1], fill=True, **look)


def _sides(places: Floats) -> tuple[Floats, Floats]:
    """Say where bars begin and end, which stand on `places`: side by side if they are many."""
    half = spacing(places) / 2
    if len(places) <= _CROWDED:
        return places - half * _SHARE, places + half * _SHARE
    middles = (places[:-1] + places[1:]) / 2
    near = np.diff(places) < 3 * half  # neighbours, though days and months differ in length
    lefts = np.append(places[0] - half, np.where(near, middles, places[1:] - half))
    rights = np.append(np.where(near, middles, places[:-1] + half), places[-1] + half)
    return lefts, rights


def horizontal(ax: Axes, rows: pd.DataFrame, looks: Looks, rest: str | None, unit: str) -> None:
    """Draw one bar per label with its amount, the most expensive on top and the `rest` last."""
    widths = rows.groupby("label")["value"].sum(min_count=1).reindex(list(looks)).dropna()
    widths = widths.sort_values(ascending=False, kind="stable")
    widths = widths.loc[sorted(widths.index, key=lambda label: label == rest)]
    bars = ax.barh(range(len(widths)), widths.to_numpy(), _SHARE)
    for bar, label in zip(bars, widths.index, strict=True):
        bar.set(**looks[label])
    size = style.font_for(ax, len(widths), mpl.rcParams["ytick.labelsize"])
    names = [style.shorten(label, _KEY_LABEL) for label in widths.index]
    ax.set_yticks(range(len(widths)), names, fontsize=size, parse_math=False)
    size = style.font_for(ax, len(widths), "small")
    amounts = [style.amount(width) for width in widths]
    ax.bar_label(bars, amounts, padding=_PADDING, fontsize=size)
    ax.invert_yaxis()
    style.lay_out(ax)
    letters = max(map(len, amounts))
    beyond = min(_MOST_BEYOND, (style.width_of(letters, size) + _PADDING) / style.size_of(ax)[0])
    ax.margins(x=beyond / (1 - 2 * beyond))
    ax.xaxis.set_major_locator(MaxNLocator(min(style.most_labels(ax, letters), _MOST_AMOUNTS)))
    ax.set_xlabel(unit, parse_math=False)
    style.thousands(ax.xaxis)
    ax.axvline(0, **_axis_line())


def _axis_line() -> dict[str, Any]:
    return {"color": mpl.rcParams["axes.edgecolor"], "linewidth": mpl.rcParams["axes.linewidth"]}


def places_of(periods: pd.DatetimeIndex) -> Floats:
    """Say where on the axis each period starts, in matplotlib's days."""
    return np.asarray(mdates.date2num(periods), dtype=np.float64)  # type: ignore[no-untyped-call]


def spacing(places: Floats) -> float:
    """Say how far neighbours stand apart at least: a day where there are none."""
    return float(np.diff(places).min()) if len(places) > 1 else 1.0


def label_periods(ax: Axes, periods: pd.DatetimeIndex) -> None:
    """Put dates on the axis and name the zone: every one of a few periods, else round dates."""
    ax.set_xlabel(f"start of the period ({periods.tz})", wrap=True)
    if not len(periods):
        return
    if len(periods) <= min(_FEW, style.most_labels(ax, _DATE)):
        days = periods == periods.normalize()
        dates = periods.strftime("%Y-%m-%d" if days.all() else "%Y-%m-%d\n%H:%M")
        ax.set_xticks(places_of(periods).tolist(), dates.tolist())
        return
    locator = mdates.AutoDateLocator(periods.tz, minticks=3, maxticks=_MOST_DATES)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = mdates.ConciseDateFormatter(locator, periods.tz)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
