"""How calls are distributed: over weekdays and hours, and by duration."""

from typing import Any, NamedTuple, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from callkit.breakdown.breakdowns import answered
from callkit.breakdown.exact import each_once, milliseconds, need
from callkit.breakdown.measures import WEEKDAYS
from callkit.charts import style
from callkit.charts.bars import Floats
from callkit.errors import FrameError

_ROUND = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)  # seconds
_STEP = 7  # more than from one round duration to the next
_DAYS, _HOURS = list(WEEKDAYS), range(24)
_CLOCK = {"weekday": _DAYS, "hour": _HOURS}


class _Measure(NamedTuple):
    column: str
    counted: str  # the column with the number of calls of which that is known
    title: str


_MEASURES = {
    "calls": _Measure("calls", "calls", "Calls"),
    "minutes": _Measure("billed_minutes", "priced_calls", "Billed minutes"),
    "cost": _Measure("cost", "priced_calls", "Connectivity cost"),
}


def heat_map(breakdown: pd.DataFrame, *, measure: str = "calls", ax: Axes | None = None) -> Axes:
    """Draw the weekdays and hours in which calls started, or the cost or minutes of those calls.

    Darker means more on a light page, lighter means more on a dark one. The scale begins at zero;
    hours in which credits exceed charges are hatched, and those without calls (for minutes and
    cost, without priced calls) are blank. Rows of totals are left out; other keys are added up. A
    note gives the total, and what is not drawn.

    Parameters
    ----------
    breakdown : DataFrame
        What :func:`callkit.cost_breakdown` returned for the keys ``weekday`` and ``hour``; anything
        else raises FrameError. Its time zone is named on the axis.
    measure : {"calls", "minutes", "cost"}
        Calls of every status, billed minutes, or connectivity cost; others raise FrameError.
    ax : matplotlib Axes, optional
        As for :func:`cost`.

    Returns
    -------
    matplotlib Axes
        The one drawn on; the colour bar takes its space from it. Costs in several currencies have a
        panel each, as for :func:`cost`.

    Examples
    --------
    >>> hours = callkit.cost_breakdown(df, ["weekday", "hour"], tz="Europe/Paris")  # doctest: +SKIP
    >>> ax = callkit.charts.heat_map(hours, measure="cost")  # doctest: +SKIP
    """
    breakdown, chosen = _checked(breakdown, measure)
    currencies = style.currencies_in(breakdown) if measure == "cost" else []
    notes = style.notes_by_currency(breakdown, currencies, lambda rows: _notes(rows, chosen))
    # several panels leave room for the colour bar of each
    ax, panels = style.panels_in(ax, f"{chosen.title} by weekday and hour", notes, width=0.85)
    parts = [breakdown[style.currency_of(breakdown) == currency] for currency in currencies]
    units = currencies or [chosen.title.lower()]
    for panel, rows, unit in zip(panels, parts or [breakdown], units, strict=True):
        grid = _grid(rows, chosen)
        if np.isnan(grid).all():
            style.empty(panel, f"no call has {'started' if measure == 'calls' else 'a price'}")
        else:
            _draw(panel, grid, unit, inside=panel is not ax)
    style.lay_out(ax)
    for panel in panels:
        if panel.collections:
            _label_hours(panel, style.zone_of(breakdown))
    return ax


def _checked(breakdown: pd.DataFrame, measure: object) -> tuple[pd.DataFrame, _Measure]:
    if not isinstance(measure, str) or measure not in _MEASURES:
        raise FrameError(f"Invalid measure {measure!r}: expected 'calls', 'minutes' or 'cost'")
    chosen = _MEASURES[measure]
    expected = (
        "charts.heat_map expects weekdays and hours, for example "
        "callkit.cost_breakdown(df, by=['weekday', 'hour'], tz=...)"
    )
    needed = {*_CLOCK, "calls", chosen.column, chosen.counted}
    if measure != "calls":
        needed |= {"unpriced_calls", "price_unit"}
    breakdown = style.groups_of(breakdown, needed, expected)
    if not all(breakdown[key].dropna().isin(values).all() for key, values in _CLOCK.items()):
        raise FrameError(expected)
    return breakdown, chosen


def _grid(rows: pd.DataFrame, chosen: _Measure) -> Floats:
    """Add up each hour of each weekday, without the noise of floats; NaN where nothing is known."""
    known = rows[rows[chosen.counted] > 0].astype({"weekday": object, chosen.column: "float64"})
    sums = known.pivot_table(chosen.column, "weekday", "hour", aggfunc="sum")
    return sums.reindex(index=_DAYS, columns=_HOURS).to_numpy(np.float64).round(8)


def _draw(ax: Axes, grid: Floats, unit: str, *, inside: bool) -> None:
    ax.grid(visible=False)
    mesh = ax.pcolormesh(
        np.where(grid < 0, np.nan, grid),
        cmap=style.colour_map(),
        vmin=0,
        vmax=max(np.nanmax(grid), 0) or 1,
        edgecolors=ax.get_facecolor(),
    )
    look: dict[str, Any] = {"fill": False, "hatch": "//////", "linewidth": 0}
    for day, hour in np.argwhere(grid < 0):
        ax.add_patch(Rectangle((hour, day), 1, 1, edgecolor=mpl.rcParams["text.color"], **look))
    ax.invert_yaxis()
    # The colour bar takes room that was left for it, or else some of the Axes' own.
    place = ax.inset_axes((1.02, 0, 0.04, 1)) if inside else None
    bar = cast("Figure", ax.get_figure()).colorbar(mesh, cax=place, ax=ax, pad=0.02, fraction=0.1)
    bar.set_label(unit, parse_math=False)
    if unit == "calls":
        bar.locator = MaxNLocator(integer=True)
    style.thousands(bar.ax.yaxis)
    style.lay_out(ax)
    size = style.font_for(ax, len(_DAYS), mpl.rcParams["ytick.labelsize"])
    ax.set_yticks(np.arange(len(_DAYS)) + 0.5, _DAYS, fontsize=size)
    ax.tick_params(axis="y", length=0)
    mesh.set_linewidth(min(1, 0.1 * style.size_of(ax)[0] / len(_HOURS)))  # between the hours


def _label_hours(ax: Axes, zone: str) -> None:
    room = style.most_labels(ax, len("00:00"))
    apart = next((hours for hours in (3, 6) if len(_HOURS) // hours < room), 12)
    hours = range(0, len(_HOURS) + 1, apart)
    ax.set_xticks(hours, [f"{hour:02}:00" for hour in hours])
    ax.set_xlabel(f"hour of the start{zone}", wrap=True)


def _notes(rows: pd.DataFrame, chosen: _Measure) -> list[str]:
    """Write the total, what of it is not drawn, and what blank and hatched hours are."""
    apart = rows[rows[list(_CLOCK)].isna().any(axis="columns")]
    besides = []
    if count := apart["calls"].sum():
        besides.append(f"calls that never started, not drawn: {count:,}")
        if apart[chosen.column].sum() and chosen.column != "calls":
            besides[-1] += f" ({_written(apart, chosen)})"
    if chosen.counted == "priced_calls" and (count := rows["unpriced_calls"].sum()):
        besides.append(f"completed calls not priced yet: {count:,}")
    grid = _grid(rows, chosen)
    if 0 < np.isnan(grid).sum() < grid.size:
        besides.append(f"blank: no {chosen.counted.replace('_', ' ')}")
    if (grid < 0).any():
        owed = f"{style.amount(grid[grid < 0].sum())} {style.currencies_in(rows)[0]}"
        besides.append(f"hatched: credits exceed charges, {owed} in all")
    in_all = f"{_written(rows, chosen)} in all" if rows[chosen.counted].sum() else ""
    return [in_all, " · ".join(besides)]


def _written(rows: pd.DataFrame, chosen: _Measure) -> str:
    if chosen.column == "cost":
        return style.cost_of(rows)
    return f"{float(rows[chosen.column].sum()):,.10g} {chosen.title.lower()}"


def duration(df: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how the durations of answered calls are distributed, with their median and p95.

    The axis is logarithmic, with ten bars per factor of ten, where whole seconds allow. Median and
    95th percentile are those of :func:`callkit.duration_breakdown`.

    Parameters
    ----------
    df : DataFrame
        Calls as :func:`callkit.to_frame` returns them, with ``status`` and ``duration``; anything
        else, and duplicates, raise FrameError. Completed calls that lasted longer than zero count
        as answered.
    ax : matplotlib Axes, optional
        As for :func:`cost`.

    Returns
    -------
    matplotlib Axes
        The one drawn on.

    Examples
    --------
    >>> ax = callkit.charts.duration(df)  # doctest: +SKIP
    """
    need(df, ["status", "duration"])
    each_once(df)
    length, _ = milliseconds(df, "duration")
    chosen = answered(df)
    note = f"{chosen.sum():,} of {len(df):,} calls answered"
    ax = style.head(ax, "Duration of answered calls", [note])
    ax.set(xlabel="duration (logarithmic scale)", ylabel="calls")
    if not chosen.any():
        style.empty(ax, "no call was answered")
        return ax
    seconds = length[chosen] / 1000
    edges = _edges(seconds)
    ax.hist(seconds, edges)
    ax.set_xscale("log")
    _duration_axis(ax, edges)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    style.thousands(ax.yaxis)
    _mark_percentiles(ax, seconds)
    return ax


def _mark_percentiles(ax: Axes, seconds: Floats) -> None:
    top, line = ax.get_ylim()[1], mpl.rcParams["text.color"]
    # so that a line stands off bars of any lightness
    halo = [withStroke(linewidth=3.5, foreground=ax.get_facecolor())]
    for percent, name, dashes in ((50, "median", "solid"), (95, "95th percentile", "dashed")):
        nearest_rank = np.percentile(seconds, percent, method="inverted_cdf").item()
        look: dict[str, Any] = {"colors": line, "linestyles": dashes, "path_effects": halo}
        ax.vlines(nearest_rank, 0, top, label=f"{name} {_in_words(nearest_rank)}", **look)
    style.legend_above(ax)


def _edges(seconds: Floats) -> list[float]:
    """Widen bins with the logarithmic axis, but by whole seconds: never fewer than before."""
    edge, width = max(1, int(seconds.min())), 1
    edges = [min(edge - 0.5, float(seconds.min()))]
    while edges[-1] <= seconds.max():
        width = max(width, round(edge * (10**0.1 - 1)))
        edge += width
        edges.append(edge - 0.5)
    return edges


def _duration_axis(ax: Axes, edges: list[float]) -> None:
    margin = 1.15 if edges[-1] / edges[0] > _STEP else _STEP  # so that a tick is in sight
    ax.set_xlim(edges[0] / margin, edges[-1] * margin)
    low, high = ax.get_xlim()
    inside = [seconds for seconds in _ROUND if low <= seconds <= high]
    every = -(-len(inside) // style.most_labels(ax, len("15 min")))
    ax.xaxis.set_major_locator(FixedLocator(inside[::every]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _in_words(seconds)))


def _in_words(seconds: float) -> str:
    """Write a duration in its two largest units: ``1 h 5 min``."""
    parts, rest = [], round(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or f"{seconds:g} s"
