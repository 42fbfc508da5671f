"""Hour by weekday: when calls are made, and when they cost."""

from typing import Any, NamedTuple, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from callkit.breakdown.measures import WEEKDAYS
from callkit.charts import style
from callkit.errors import FrameError

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
    """Draw on which weekdays and at which hours calls started, or the cost or minutes of those.

    The darker on a light page, or the lighter on a dark one, the more. The scale begins at zero;
    hours in which credits exceed charges are hatched, and those without calls, or for minutes and
    cost without priced calls, blank. Rows of totals are left out; other keys than weekday and hour
    are added up. A note gives the total, and what is not drawn.

    Parameters
    ----------
    breakdown : DataFrame
        What :func:`callkit.cost_breakdown` returned for the keys ``weekday`` and ``hour``. The zone
        that it was made in is named on the axis.
    measure : {"calls", "minutes", "cost"}
        What to draw: calls of every status, billed minutes, or connectivity cost.
    ax : matplotlib Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes
        The one drawn on; the colour bar takes its room from it. Costs in several currencies have a
        panel each, as for :func:`cost`.

    Raises
    ------
    FrameError
        `breakdown` is not such a breakdown, or `measure` is not one of the three.

    Examples
    --------
    >>> hours = callkit.cost_breakdown(df, ["weekday", "hour"], tz="Europe/Paris")  # doctest: +SKIP
    >>> callkit.charts.heat_map(hours, measure="cost").figure.savefig("hours.png")  # doctest: +SKIP
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


def _grid(rows: pd.DataFrame, chosen: _Measure) -> NDArray[np.float64]:
    """Add up each hour of each weekday: NaN without calls, or where the measure is not known.

    Beyond the eighth decimal, sums of amounts in floats are noise.
    """
    known = rows[rows[chosen.counted] > 0].astype({"weekday": object, chosen.column: "float64"})
    sums = known.pivot_table(chosen.column, "weekday", "hour", aggfunc="sum")
    return sums.reindex(index=_DAYS, columns=_HOURS).to_numpy(np.float64).round(8)


def _draw(ax: Axes, grid: NDArray[np.float64], unit: str, *, inside: bool) -> None:
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
    figure = cast("Figure", ax.get_figure())
    bar = figure.colorbar(mesh, cax=place, ax=ax, pad=0.02, fraction=0.1)
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
