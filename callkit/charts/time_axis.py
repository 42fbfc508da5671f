"""The axis of time: where periods stand on it, and how it is labelled in their zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib.dates as mdates
import numpy as np

from callkit.charts.layout import most_labels

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["label_periods", "places_of", "spacing"]

_FEW = 4  # periods up to which each has a date of its own
_DATE = 10  # the letters of a date
_MOST_TICKS = 9


def places_of(periods: pd.DatetimeIndex) -> NDArray[np.float64]:
    """Say where on the axis each period starts, in matplotlib's days."""
    utc = periods.tz_convert("UTC").tz_localize(None)
    return np.asarray(mdates.date2num(utc), dtype=np.float64)  # type: ignore[no-untyped-call]


def spacing(places: NDArray[np.float64]) -> float:
    """Say how far neighbours stand apart at least: a day where there are none."""
    return float(np.diff(places).min()) if len(places) > 1 else 1.0


def label_periods(ax: Axes, periods: pd.DatetimeIndex) -> None:
    """Put dates on the axis and name the zone: every one of a few periods, else round dates."""
    ax.set_xlabel(f"start of the period ({periods.tz})", wrap=True)
    if not len(periods):
        return
    if len(periods) <= min(_FEW, most_labels(ax, _DATE)):
        days = periods == periods.normalize()
        dates = periods.strftime("%Y-%m-%d" if days.all() else "%Y-%m-%d\n%H:%M")
        ax.set_xticks(places_of(periods).tolist(), dates.tolist())
        return
    locator = mdates.AutoDateLocator(periods.tz, minticks=3, maxticks=_MOST_TICKS)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = mdates.ConciseDateFormatter(locator, periods.tz)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
