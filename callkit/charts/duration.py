"""How long answered calls lasted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from callkit.breakdown.columns import each_once, milliseconds, need
from callkit.breakdown.duration import answered
from callkit.breakdown.groups import Groups
from callkit.charts.layout import empty, head, legend_above, most_labels, new_axes
from callkit.charts.style import thousands

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["duration"]

_GROWTH = 10**0.1 - 1
_HALO = 3.5  # points, so that a line stands off bars of any lightness
_MARGIN = 1.15
_STEP = 7  # more than from one round duration to the next
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
_LONGEST = "15 min"
_ROUND = (1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400, 604_800)  # seconds


def duration(df: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how the durations of answered calls are distributed, with their median and p95.

    The axis is logarithmic, with ten bars to every tenfold of duration where whole seconds allow.
    The median and the 95th percentile are those of
    :func:`callkit.duration_breakdown`: durations that occurred.

    Parameters
    ----------
    df : DataFrame
        Calls, as :func:`callkit.to_frame` gives them, with ``status`` and ``duration``. Answered
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
        `df` is no frame of calls, or has a call twice.

    Examples
    --------
    >>> import callkit
    >>> callkit.charts.duration(df).figure.savefig("duration.png")  # doctest: +SKIP
    """
    need(df, ["status", "duration"])
    each_once(df)
    length, _ = milliseconds(df, "duration")
    chosen = answered(df)
    ax = new_axes() if ax is None else ax
    head(ax, "Duration of answered calls", [f"{chosen.sum():,} of {len(df):,} calls answered"])
    ax.set_xlabel("duration (logarithmic scale)")
    ax.set_ylabel("calls")
    if not chosen.any():
        empty(ax, "no call was answered")
        return ax
    seconds = length[chosen] / 1000
    edges = _edges(seconds)
    ax.hist(seconds, edges)
    ax.set_xscale("log")
    _duration_axis(ax, edges)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    thousands(ax.yaxis)
    _mark_percentiles(ax, df, length, chosen)
    return ax


def _mark_percentiles(
    ax: Axes, df: pd.DataFrame, length: NDArray[np.int64], chosen: NDArray[np.bool_]
) -> None:
    top = ax.get_ylim()[1]
    everything = Groups(pd.DataFrame(index=df.index))
    median, p95 = (found[0] / 1000 for found in everything.nearest_ranks(length, chosen, [50, 95]))
    line = mpl.rcParams["text.color"]
    halo = [withStroke(linewidth=_HALO, foreground=ax.get_facecolor())]
    look: dict[str, Any] = {"colors": line, "path_effects": halo}
    ax.vlines(median, 0, top, label=f"median {_written(median)}", **look)
    look["linestyles"] = "dashed"
    ax.vlines(p95, 0, top, label=f"95th percentile {_written(p95)}", **look)
    legend_above(ax)


def _edges(seconds: NDArray[np.float64]) -> list[float]:
    """Widen bins with the logarithmic axis, but by whole seconds: never fewer than before."""
    edge, width = max(1, int(seconds.min())), 1
    edges = [min(edge - 0.5, float(seconds.min()))]
    while edges[-1] <= seconds.max():
        width = max(width, round(edge * _GROWTH))
        edge += width
        edges.append(edge - 0.5)
    return edges


def _duration_axis(ax: Axes, edges: list[float]) -> None:
    margin = _MARGIN if edges[-1] / edges[0] > _STEP else _STEP  # so that a tick is in sight
    ax.set_xlim(edges[0] / margin, edges[-1] * margin)
    low, high = ax.get_xlim()
    inside = [seconds for seconds in _ROUND if low <= seconds <= high]
    every = -(-len(inside) // most_labels(ax, len(_LONGEST)))
    ax.xaxis.set_major_locator(FixedLocator(inside[::every]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda seconds, _: _written(seconds)))


def _written(seconds: float) -> str:
    """Write a duration in its two largest units: ``1 h 5 min``."""
    parts, rest = [], round(seconds)
    for size, unit in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:,} {unit}")
    return " ".join(parts[:2]) or f"{seconds:g} s"
