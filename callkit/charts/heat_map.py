"""Hour by weekday: when calls are made, and when they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from callkit.breakdown.measures import WEEKDAYS
from callkit.charts.layout import (
    empty,
    font_for,
    lay_out,
    most_labels,
    new_axes,
    panels_in,
    size_of,
)
from callkit.charts.style import amount, colour_map, thousands
from callkit.charts.tables import (
    currencies_in,
    currency_of,
    holds,
    never_started,
    notes_by_currency,
    without_totals,
    zone_of,
)
from callkit.errors import FrameError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

__all__ = ["heat_map"]

_KEYS = ("weekday", "hour")
_HOURS = 24
_DAYS = {day: number for number, day in enumerate(WEEKDAYS)}
_DECIMALS = 8  # of amounts, beyond which sums of floats are noise
_APART = (3, 6, 12)  # hours from label to label, by the room there is
_BAR = (0.02, 0.04)  # how far the colour bar is off, and how wide, in widths of the Axes
_GAP = 0.1  # the share of an hour that parts it from the next
_BESIDE = 0.85  # the share of the width that leaves room for the colour bar of a panel


class _Measure(NamedTuple):
    """What is drawn of a group of calls, and of how many of them that is known."""

    column: str
    counted: str
    title: str
    blank: str


_MEASURES = {
    "calls": _Measure("calls", "calls", "Calls", "no calls"),
    "minutes": _Measure("billed_minutes", "priced_calls", "Billed minutes", "no priced calls"),
    "cost": _Measure("cost", "priced_calls", "Connectivity cost", "no priced calls"),
}


def heat_map(breakdown: pd.DataFrame, *, measure: str = "calls", ax: Axes | None = None) -> Axes:
    """Draw on which weekdays and at which hours calls started, or what those calls came to.

    The darker on a light page, or the lighter on a dark one, the more. The scale begins at zero;
    hours in which credits exceed charges are hatched, not coloured. Hours without calls, or for
    minutes and cost without priced calls, are blank. Rows of totals are left out; other keys than
    weekday and hour are added up. A note says what all comes to, and what is not drawn.

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
        The one drawn on. For the cost in several currencies, this Axes bears the title, and in its
        place stands a panel for each currency, in the order of their codes. The colour bar takes
        its room from the Axes.

    Raises
    ------
    FrameError
        `breakdown` is no such breakdown, or `measure` none of the three.

    Examples
    --------
    >>> import callkit
    >>> hours = callkit.cost_breakdown(df, ["weekday", "hour"], tz="Europe/Paris")  # doctest: +SKIP
    >>> callkit.charts.heat_map(hours, measure="cost").figure.savefig("hours.png")  # doctest: +SKIP
    """
    chosen = _checked(breakdown, measure)
    breakdown = without_totals(breakdown)
    zone = zone_of(breakdown)
    currencies = currencies_in(breakdown) if measure == "cost" else []
    ax = new_axes(max(1, len(currencies))) if ax is None else ax
    notes = notes_by_currency(breakdown, currencies, lambda rows: _notes(rows, chosen))
    panels = panels_in(ax, f"{chosen.title} by weekday and hour", notes, width=_BESIDE)
    parts = [breakdown[currency_of(breakdown) == currency] for currency in currencies]
    units = currencies or [chosen.title.lower()]
    for panel, rows, unit in zip(panels, parts or [breakdown], units, strict=True):
        grid = _grid(rows, chosen)
        if np.isnan(grid).all():
            empty(panel, "no call has started" if measure == "calls" else "no call has a price")
            continue
        mesh = _draw(panel, grid)
        _colour_bar(panel, mesh, unit, inside=panel is not ax)
        _label_days(panel)
        mesh.set_linewidth(min(1, _GAP * size_of(panel)[0] / _HOURS))
    lay_out(ax)
    for panel in panels:
        if panel.collections:
            _label_hours(panel, zone)
    return ax


def _checked(breakdown: object, measure: object) -> _Measure:
    if not isinstance(measure, str) or measure not in _MEASURES:
        raise FrameError(f"measure={measure!r} should be 'calls', 'minutes' or 'cost'")
    chosen = _MEASURES[measure]
    needed = {*_KEYS, "calls", chosen.column, chosen.counted}
    if chosen.counted == "priced_calls":
        needed |= {"unpriced_calls", "price_unit"}
    if not holds(breakdown, needed) or not _of_the_clock(cast("pd.DataFrame", breakdown)):
        raise FrameError(
            "charts.heat_map draws weekdays and hours: pass it "
            "callkit.cost_breakdown(df, by=['weekday', 'hour'], tz=...)"
        )
    return chosen


def _of_the_clock(breakdown: pd.DataFrame) -> bool:
    days, hours = (breakdown[name].dropna() for name in _KEYS)
    return bool(days.isin(WEEKDAYS).all() and hours.isin(range(_HOURS)).all())


def _grid(rows: pd.DataFrame, chosen: _Measure) -> NDArray[np.float64]:
    """Add up each hour of each weekday; what is not known, or of no calls, is not a number."""
    known = rows[~never_started(rows, _KEYS) & (rows[chosen.counted] > 0)]
    values = known[chosen.column].astype("float64").to_numpy(np.float64)
    places = [
        known["weekday"].map(_DAYS).to_numpy(np.int64),
        known["hour"].to_numpy(np.int64),
    ]
    grid = np.full((len(WEEKDAYS), _HOURS), np.nan)
    grid[tuple(places)] = 0
    np.add.at(grid, tuple(places), values)
    return grid.round(_DECIMALS)


def _draw(ax: Axes, grid: NDArray[np.float64]) -> QuadMesh:
    ax.grid(visible=False)
    mesh = ax.pcolormesh(
        np.where(grid < 0, np.nan, grid),
        cmap=colour_map(),
        vmin=0,
        vmax=max(np.nanmax(grid), 0) or 1,
        edgecolors=ax.get_facecolor(),
    )
    for day, hour in np.argwhere(grid < 0):
        ax.add_patch(Rectangle((hour, day), 1, 1, **_hatched()))
    ax.invert_yaxis()
    return mesh


def _hatched() -> dict[str, Any]:
    return {
        "facecolor": "none",
        "hatch": "//////",
        "edgecolor": mpl.rcParams["text.color"],
        "linewidth": 0,
    }


def _label_days(ax: Axes) -> None:
    lay_out(ax)
    size = font_for(ax, len(WEEKDAYS), mpl.rcParams["ytick.labelsize"])
    ax.set_yticks(np.arange(len(WEEKDAYS)) + 0.5, WEEKDAYS, fontsize=size)
    ax.tick_params(axis="y", length=0)


def _label_hours(ax: Axes, zone: str | None) -> None:
    room = most_labels(ax, len("00:00"))
    apart = next((hours for hours in _APART if _HOURS // hours < room), _APART[-1])
    hours = range(0, _HOURS + 1, apart)
    ax.set_xticks(hours, [f"{hour:02}:00" for hour in hours])
    ax.set_xlabel("hour of the start" + (f" ({zone})" if zone else ""), wrap=True)


def _colour_bar(ax: Axes, mesh: QuadMesh, unit: str, *, inside: bool) -> None:
    """Put the bar at the side: in room that was left for it, or else in some of the Axes' own."""
    away, width = _BAR
    place = ax.inset_axes((1 + away, 0, width, 1)) if inside else None
    figure = cast("Figure", ax.get_figure())
    bar = figure.colorbar(mesh, cax=place, ax=ax, pad=away, fraction=0.1)
    bar.set_label(unit, parse_math=False)
    if unit == "calls":
        bar.locator = MaxNLocator(integer=True)
    thousands(bar.ax.yaxis)


def _notes(rows: pd.DataFrame, chosen: _Measure) -> list[str]:
    """Say what all comes to, what is not drawn of it, and what blank and hatched hours are."""
    apart = never_started(rows, _KEYS)
    notes = [f"{_written(rows, chosen)} in all"] if rows[chosen.counted].sum() else []
    besides = []
    if rows.loc[apart, "calls"].sum():
        besides.append(f"calls that never started, not drawn: {rows.loc[apart, 'calls'].sum():,}")
        if rows.loc[apart, chosen.column].sum() and chosen.column != "calls":
            besides[-1] += f" ({_written(rows[apart], chosen)})"
    if chosen.counted == "priced_calls" and rows["unpriced_calls"].sum():
        besides.append(f"completed calls not priced yet: {rows['unpriced_calls'].sum():,}")
    grid = _grid(rows, chosen)
    if 0 < np.isnan(grid).sum() < grid.size:
        besides.append(f"blank: {chosen.blank}")
    if (grid < 0).any():
        owed = f"{amount(grid[grid < 0].sum())} {_currency(rows)}"
        besides.append(f"hatched: credits exceed charges, {owed} in all")
    return [*notes, " · ".join(besides)] if besides else notes


def _written(rows: pd.DataFrame, chosen: _Measure) -> str:
    total = rows[chosen.column].sum()
    if chosen.column == "cost":
        return f"{amount(total)} {_currency(rows)}"
    return f"{float(total):,.10g} {chosen.title.lower()}"


def _currency(rows: pd.DataFrame) -> str:
    (currency,) = currency_of(rows[rows["cost"].notna()]).unique()
    return str(currency)
