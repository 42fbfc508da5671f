"""How calls ended, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from matplotlib.ticker import MaxNLocator

from callkit.charts.bars import stacked
from callkit.charts.layout import empty, head, legend_above, new_axes
from callkit.charts.style import thousands
from callkit.charts.tables import holds, without_totals
from callkit.errors import FrameError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["status"]


def _look(colour: str, hatch: str = "", lines: str = "0.1") -> dict[str, Any]:
    return {"facecolor": colour, "hatch": hatch, "edgecolor": lines, "linewidth": 0}


# Neighbours differ in lightness, and all in colour or hatch. Those of one colour belong together:
# blue was answered by somebody, orange was not, red went wrong, grey is not over yet.
_LOOKS: dict[str, dict[str, Any]] = {
    "completed": _look("#2c6fa6"),
    "no-answer": _look("#f7d08a"),
    "busy": _look("#d98c21"),
    "canceled": _look("#f7d08a", "\\\\\\\\"),
    "failed": _look("#b5403a", "xxxx", "0.95"),
    "in-progress": _look("0.85", "||||", "0.4"),
    "ringing": _look("0.85", "...."),
    "queued": _look("0.55", "++++"),
}
_UNLISTED = _look("0.7", "oo")
_UNKNOWN = _look("0.95", "---")


def status(breakdown: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many calls had which status, over time.

    Bars stand on the start of their period and are stacked by status, each in a look of its own
    that is the same in every picture, whatever the style. Calls that never started have no period:
    a note says how many they are. Other keys are added up, and rows of totals left out.

    Parameters
    ----------
    breakdown : DataFrame
        What :func:`callkit.duration_breakdown` or :func:`callkit.cost_breakdown` returned by
        ``status`` for a `freq`.
    ax : matplotlib Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes
        The one drawn on.

    Raises
    ------
    FrameError
        `breakdown` is no such breakdown.

    Examples
    --------
    >>> import callkit
    >>> daily = callkit.duration_breakdown(df, "status", freq="D")  # doctest: +SKIP
    >>> callkit.charts.status(daily).figure.savefig("status.png")  # doctest: +SKIP
    """
    if not holds(breakdown, ["period", "status", "calls"]):
        raise FrameError(
            "charts.status draws calls by status over time: pass it "
            "callkit.duration_breakdown(df, by='status', freq=...)"
        )
    breakdown = without_totals(breakdown)
    breakdown = breakdown[breakdown["calls"] > 0]
    started = breakdown[breakdown["period"].notna()]
    apart = breakdown.loc[breakdown["period"].isna(), "calls"].sum()
    ax = new_axes() if ax is None else ax
    notes = [f"{breakdown['calls'].sum():,} calls"]
    if apart:
        notes[0] += f" · calls that never started, not drawn: {apart:,}"
    head(ax, "Calls by status", notes)
    if started.empty:
        empty(ax, "no call has started")
        return ax
    rows, looks = _layers(started)
    layers = stacked(ax, rows, looks, "calls")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    thousands(ax.yaxis)
    legend_above(ax, layers)
    return ax


def _layers(started: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    """Name the layer of each row, and list the layers that there are, and how they look.

    Statuses that Twilio's reference does not list share one.
    """
    names = started["status"].astype(object)
    unlisted = sorted(map(str, names[~names.isin(list(_LOOKS)) & names.notna()].unique()))
    other = f"other: {', '.join(unlisted)}"
    looks = {**_LOOKS, other: _UNLISTED, "(none)": _UNKNOWN}
    names = names.where(names.isin(list(_LOOKS)) | names.isna(), other)
    names = names.where(names.notna(), "(none)")
    rows = pd.DataFrame(
        {
            "period": started["period"],
            "label": names,
            "value": started["calls"].astype("float64"),
        }
    )
    return rows, {name: look for name, look in looks.items() if (names == name).any()}
