"""How many calls were up at once, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from callkit.charts.layout import empty, head, legend_above, new_axes
from callkit.charts.style import thousands
from callkit.charts.tables import holds
from callkit.charts.time_axis import label_periods, places_of, spacing
from callkit.errors import FrameError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["in_progress"]

_NEEDED = ("period", "peak_in_progress", "mean_in_progress", "peak_starts_per_second")
_FAINT = 0.35


def in_progress(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many calls were up at once: the peak of each period as an area, the mean as a line.

    A note says the highest peak, the most calls that started in one second, and that only the calls
    in the frame count: others of the account were up besides.

    Parameters
    ----------
    table : DataFrame
        What :func:`callkit.calls_in_progress` returned.
    ax : matplotlib Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes
        The one drawn on.

    Raises
    ------
    FrameError
        `table` is none that calls_in_progress returned.

    Examples
    --------
    >>> import callkit
    >>> hourly = callkit.calls_in_progress(df, freq="h")  # doctest: +SKIP
    >>> callkit.charts.in_progress(hourly).figure.savefig("in_progress.png")  # doctest: +SKIP
    """
    if not holds(table, _NEEDED):
        raise FrameError(
            "charts.in_progress draws what callkit.calls_in_progress returns: pass it "
            "callkit.calls_in_progress(df, freq=...)"
        )
    ax = new_axes() if ax is None else ax
    notes = ["calls in the frame only"]
    if len(table):
        notes.append(
            f"most at once: {table['peak_in_progress'].max():,} · "
            f"most started in one second: {table['peak_starts_per_second'].max():,}"
        )
    head(ax, "Calls in progress", notes)
    if table.empty:
        empty(ax, "no call has started")
        return ax
    _draw(ax, table)
    ax.set_ylabel("calls up at once")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    thousands(ax.yaxis)
    legend_above(ax)
    return ax


def _draw(ax: Axes, table: pd.DataFrame) -> None:
    periods = pd.DatetimeIndex(table["period"])
    places = places_of(periods)
    ends = np.append(places, places[-1] + spacing(places))
    peak, mean = (
        table[name].astype("float64").to_numpy()
        for name in ("peak_in_progress", "mean_in_progress")
    )
    ax.stairs(peak, ends, fill=True, color="C0", alpha=_FAINT, label="peak of the period")
    ax.stairs(peak, ends, color="C0")
    line = mpl.rcParams["text.color"]
    ax.stairs(mean, ends, baseline=None, color=line, label="mean of the period")
    ax.set_xlim(ends[0], ends[-1])
    ax.set_ylim(0, max(1, peak.max()))
    label_periods(ax, periods)
