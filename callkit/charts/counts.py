"""How long calls lasted, and how many were up at once."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from callkit.breakdown.breakdowns import answered
from callkit.breakdown.exact import each_once, milliseconds, need
from callkit.charts import style
from callkit.charts.bars import label_periods, places_of, spacing

_ROUND = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)  # seconds
_STEP = 7  # more than from one round duration to the next


def duration(df: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how the durations of answered calls are distributed, with their median and p95.

    The axis is logarithmic, with ten bars to every tenfold of duration where whole seconds allow.
    Median and 95th percentile are those of :func:`callkit.duration_breakdown`.

    Parameters
    ----------
    df : DataFrame
        Calls, as :func:`callkit.to_frame` returns them, with ``status`` and ``duration``. Answered
        are those completed that lasted longer than zero.
    ax : matplotlib Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes
        The one drawn on.

    Raises
    ------
    FrameError
        `df` is not a DataFrame of calls, or has duplicates.

    Examples
    --------
    >>> callkit.charts.duration(df).figure.savefig("duration.png")  # doctest: +SKIP
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


def _mark_percentiles(ax: Axes, seconds: NDArray[np.float64]) -> None:
    top, line = ax.get_ylim()[1], mpl.rcParams["text.color"]
    # so that a line stands off bars of any lightness
    halo = [withStroke(linewidth=3.5, foreground=ax.get_facecolor())]
    for percent, name, dashes in ((50, "median", "solid"), (95, "95th percentile", "dashed")):
        nearest_rank = np.percentile(seconds, percent, method="inverted_cdf").item()
        look: dict[str, Any] = {"colors": line, "linestyles": dashes, "path_effects": halo}
        ax.vlines(nearest_rank, 0, top, label=f"{name} {_written(nearest_rank)}", **look)
    style.legend_above(ax)


def _edges(seconds: NDArray[np.float64]) -> list[float]:
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
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _written(seconds)))


def _written(seconds: float) -> str:
    """Write a duration in its two largest units: ``1 h 5 min``."""
    parts, rest = [], round(seconds)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or f"{seconds:g} s"


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
        `table` is not what calls_in_progress returns.

    Examples
    --------
    >>> hourly = callkit.calls_in_progress(df, freq="h")  # doctest: +SKIP
    >>> callkit.charts.in_progress(hourly).figure.savefig("in_progress.png")  # doctest: +SKIP
    """
    table = style.groups_of(
        table,
        ["period", "peak_in_progress", "mean_in_progress", "peak_starts_per_second"],
        "charts.in_progress expects the result of callkit.calls_in_progress, for example "
        "callkit.calls_in_progress(df, freq=...)",
    )
    notes = ["calls in the frame only"]
    if len(table):
        notes.append(
            f"most at once: {table['peak_in_progress'].max():,} · "
            f"most started in one second: {table['peak_starts_per_second'].max():,}"
        )
    ax = style.head(ax, "Calls in progress", notes)
    if table.empty:
        style.empty(ax, "no call has started")
        return ax
    periods = pd.DatetimeIndex(table["period"])
    places = places_of(periods)
    ends = np.append(places, places[-1] + spacing(places))
    peak = table["peak_in_progress"].to_numpy(np.float64)
    mean = table["mean_in_progress"].to_numpy(np.float64)
    ax.stairs(peak, ends, fill=True, color="C0", alpha=0.35, label="peak of the period")
    ax.stairs(peak, ends, color="C0")
    line = mpl.rcParams["text.color"]
    ax.stairs(mean, ends, baseline=None, color=line, label="mean of the period")
    ax.set_xlim(ends[0], ends[-1])
    ax.set_ylim(0, max(1, peak.max()))
    label_periods(ax, periods)
    ax.set_ylabel("calls up at once")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    style.thousands(ax.yaxis)
    style.legend_above(ax)
    return ax
