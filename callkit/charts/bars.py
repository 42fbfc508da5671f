"""Cost, statuses and calls in progress: bars over time, or one for each key; the axis of time.

What draws them takes rows of ``label``, ``value`` (float64, perhaps null) and, over time,
``period``, and `looks`: the labels to draw, in their order, and how.
"""

from collections.abc import Collection, Mapping
from typing import Any, TypeAlias

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from callkit.breakdown.measures import MEASURES
from callkit.charts import style

Floats: TypeAlias = NDArray[np.float64]
Looks: TypeAlias = Mapping[str, Mapping[str, Any]]


def _look(colour: str, hatch: str = "", lines: str = "0.1") -> dict[str, Any]:
    return {"facecolor": colour, "hatch": hatch, "edgecolor": lines, "linewidth": 0}


# Neighbours differ in lightness, and all in colour or hatch. Those of one colour belong together:
# blue was answered by somebody, orange was not, red went wrong, grey is not over yet.
_STATUSES: dict[str, dict[str, Any]] = {
    "completed": _look("#2c6fa6"),
    "no-answer": _look("#f7d08a"),
    "busy": _look("#d98c21"),
    "canceled": _look("#f7d08a", "\\\\\\\\"),
    "failed": _look("#b5403a", "xxxx", "0.95"),
    "in-progress": _look("0.85", "||||", "0.4"),
    "ringing": _look("0.85", "...."),
    "queued": _look("0.55", "++++"),
}
_SHARE = 0.8  # of its period, or its line, that a bar fills
_CROWDED = 100  # bars from which the gaps between them would flicker
_PADDING = 3.0  # how far the amount is off its bar, in points


def cost(breakdown: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw connectivity cost: over time where the breakdown has periods, else by its keys.

    Over time, bars are placed at the start of their period and stacked by key: the five most
    expensive keys, and the others together. Without periods there is one bar per key: the eleven
    most expensive, and the others together. What is drawn is ``cost``, charges less credits; groups
    in which no call has a price have none, and rows of totals are left out. A note gives the total,
    and what is not drawn or not known.

    Parameters
    ----------
    breakdown : DataFrame
        What :func:`callkit.cost_breakdown` returned, with any keys.
    ax : matplotlib Axes, optional
        Where to draw; a new figure otherwise.

    Returns
    -------
    matplotlib Axes
        The one drawn on. Currencies never share an axis: if there are several, this Axes has the
        title, and a panel for each currency, in the order of their codes (``ax.child_axes``).

    Raises
    ------
    FrameError
        `breakdown` is not a cost breakdown.

    Examples
    --------
    >>> daily = callkit.cost_breakdown(df, "direction", freq="D")  # doctest: +SKIP
    >>> callkit.charts.cost(daily).figure.savefig("cost.png")  # doctest: +SKIP
    """
    breakdown = style.groups_of(
        breakdown,
        ["price_unit", "priced_calls", "unpriced_calls", "cost"],
        "charts.cost expects the result of callkit.cost_breakdown, for example "
        "callkit.cost_breakdown(df, by=..., freq=...)",
    )
    no_keys = {"period", "price_unit", *(column.name for column in MEASURES)}
    keys = [name for name in breakdown.columns if name not in no_keys]
    over_time = "period" in breakdown.columns
    rows, labels, rest = _labelled(breakdown, keys, most=6 if over_time else 12)
    shades = style.looks(len(labels)) if over_time else style.looks(1) * len(labels)
    looks = dict(zip(labels, shades, strict=True))
    if rest:
        looks[rest] = _look("0.8", "////", "0.45")
    currencies = style.currencies_in(breakdown)
    notes = style.notes_by_currency(breakdown, currencies, _notes)
    ax, panels = style.panels_in(ax, _title(breakdown, keys), notes)
    if not currencies:
        style.empty(ax, "no call has a price")
    drawn = []
    for panel, currency in zip(panels, currencies, strict=False):
        mine = rows[rows["currency"] == currency]
        if not over_time:
            _horizontal(panel, mine, looks, rest, currency)
        elif layers := _stacked(panel, mine, looks, currency):
            drawn.append((panel, layers))
    if drawn and len(labels) > 1:
        style.legend_above(*drawn[0])
    return ax


def _title(breakdown: pd.DataFrame, keys: list[str]) -> str:
    by = f" by {', '.join(keys)}" if keys else ""
    zone = style.zone_of(breakdown) if {"hour", "weekday"} & set(keys) else ""
    return f"Connectivity cost{by}{zone}"


def _labelled(
    breakdown: pd.DataFrame, keys: list[str], most: int
) -> tuple[pd.DataFrame, list[str], str | None]:
    """Label each row, and list the labels to draw, most expensive first, and that of the rest."""
    rows = breakdown.filter(["period"]).assign(
        currency=style.currency_of(breakdown),
        label=_joined(breakdown[keys]),
        value=breakdown["cost"].astype("float64"),
    )
    size = rows["value"].abs()
    share = (size / size.groupby(rows["currency"]).transform("sum")).where(size != 0, 0.0)
    ranked = share.groupby(rows["label"]).sum(min_count=1).dropna()
    labels = ranked.sort_values(ascending=False, kind="stable").index.tolist()
    if len(labels) <= most:
        return rows, labels, None
    shown, others = labels[: most - 1], labels[most - 1 :]
    rest = _unused(f"other ({len(others):,})", shown)
    rows["label"] = rows["label"].where(~rows["label"].isin(others), rest)
    return rows, [*shown, rest], rest


def _joined(keys: pd.DataFrame) -> list[str]:
    """Write the keys of each row as one label, and null as no value is written."""
    written = []
    for name in keys:
        values = keys[name].astype(object)
        null = _unused("(none)", set(map(str, values.dropna())))
        written.append(values.map(str).where(values.notna(), null))
    return [" · ".join(row) for row in zip(*written, strict=True)] or [""] * len(keys)


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name = f"({name})"
    return name


def _notes(breakdown: pd.DataFrame) -> list[str]:
    """Write the total; then what is left out of the bars, and what is not known yet."""
    priced = breakdown[breakdown["cost"].notna()]
    besides = []
    if "period" in priced and priced["period"].isna().any():
        apart = style.cost_of(priced[priced["period"].isna()])
        besides.append(f"calls that never started, not drawn: {apart}")
    if unpriced := int(breakdown["unpriced_calls"].sum()):
        besides.append(f"completed calls not priced yet: {unpriced:,}")
    return [f"{style.cost_of(priced)} in all" if len(priced) else "", " · ".join(besides)]


def status(breakdown: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the number of calls with each status, over time.

    Bars are placed at the start of their period and stacked by status, each with its own look that
    is the same in every picture, whatever the style. Calls that never started have no period: a
    note counts them. Other keys are added up, and rows of totals left out.

    Parameters
    ----------
    breakdown : DataFrame
        What :func:`callkit.duration_breakdown` or :func:`callkit.cost_breakdown` returned for
        ``by="status"`` and a `freq`; anything else raises FrameError.
    ax : matplotlib Axes, optional
        As for :func:`cost`.

    Returns
    -------
    matplotlib Axes
        The one drawn on.

    Examples
    --------
    >>> daily = callkit.duration_breakdown(df, "status", freq="D")  # doctest: +SKIP
    >>> ax = callkit.charts.status(daily)  # doctest: +SKIP
    """
    breakdown = style.groups_of(
        breakdown,
        ["period", "status", "calls"],
        "charts.status expects calls by status over time, for example "
        "callkit.duration_breakdown(df, by='status', freq=...)",
    )
    breakdown = breakdown[breakdown["calls"] > 0]
    started = breakdown[breakdown["period"].notna()]
    apart = breakdown.loc[breakdown["period"].isna(), "calls"].sum()
    note = f"{breakdown['calls'].sum():,} calls"
    if apart:
        note += f" · calls that never started, not drawn: {apart:,}"
    ax = style.head(ax, "Calls by status", [note])
    if started.empty:
        style.empty(ax, "no call has started")
        return ax
    style.legend_above(ax, _stacked(ax, *_layers(started), "calls"))
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return ax


def in_progress(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many calls were in progress: each period's peak as an area, the mean as a line.

    A note gives the highest peak and the most calls that started in one second. Only the calls in
    the frame count, not others of the account.

    Parameters
    ----------
    table : DataFrame
        What :func:`callkit.calls_in_progress` returned; anything else raises FrameError.
    ax : matplotlib Axes, optional
        As for :func:`cost`.

    Returns
    -------
    matplotlib Axes
        The one drawn on.

    Examples
    --------
    >>> hourly = callkit.calls_in_progress(df, freq="h")  # doctest: +SKIP
    >>> ax = callkit.charts.in_progress(hourly)  # doctest: +SKIP
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
    places = _places_of(periods)
    ends = np.append(places, places[-1] + _spacing(places))
    peak = table["peak_in_progress"].to_numpy(np.float64)
    mean = table["mean_in_progress"].to_numpy(np.float64)
    ax.stairs(peak, ends, fill=True, color="C0", alpha=0.35, label="peak of the period")
    ax.stairs(peak, ends, color="C0")
    line = mpl.rcParams["text.color"]
    ax.stairs(mean, ends, baseline=None, color=line, label="mean of the period")
    ax.set_xlim(ends[0], ends[-1])
    ax.set_ylim(0, max(1, peak.max()))
    _label_periods(ax, periods)
    ax.set_ylabel("calls up at once")
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    style.thousands(ax.yaxis)
    style.legend_above(ax)
    return ax


def _layers(started: pd.DataFrame) -> tuple[pd.DataFrame, Looks]:
    """Label each row, and choose the looks of the labels; unlisted statuses share one."""
    names = started["status"].astype(object)
    listed = names.isin(list(_STATUSES))
    other = f"other: {', '.join(sorted(map(str, names[~listed].dropna().unique())))}"
    names = names.where(listed | names.isna(), other).fillna("(none)")
    rows = started[["period"]].assign(label=names, value=started["calls"].astype("float64"))
    looks = {**_STATUSES, other: _look("0.7", "oo"), "(none)": _look("0.95", "---")}
    return rows, {name: look for name, look in looks.items() if (names == name).any()}


def _stacked(ax: Axes, rows: pd.DataFrame, looks: Looks, unit: str) -> list[StepPatch]:
    """Draw a bar per period, a layer per label, negatives below zero; return the layers, if any."""
    heights = rows.pivot_table(index="period", columns="label", values="value", aggfunc="sum")
    heights = heights.reindex(columns=list(looks)).fillna(0)
    periods = pd.DatetimeIndex(heights.index)
    places = _places_of(periods)
    layers = []
    if len(places):
        lefts, rights = _sides(places)
        edges = np.column_stack([lefts, rights]).ravel()
        parted = rights[:-1] < lefts[1:]
        above, below = np.zeros(len(places)), np.zeros(len(places))
        for label, look in looks.items():
            values = heights[label].to_numpy()
            base = np.where(values >= 0, above, below)
            above, below = above + values.clip(min=0), below + values.clip(max=0)
            # One outline for all bars of a layer is quick, and leaves no seams between many.
            tops, bases = (np.repeat(level, 2)[:-1] for level in (base + values, base))
            tops[1::2][parted] = np.nan
            name = style.shorten(label, 36)
            layers.append(ax.stairs(tops, edges, baseline=bases, fill=True, label=name, **look))
        gap = _spacing(places)
        ax.set_xlim(places[0] - gap, places[-1] + gap)
    _label_periods(ax, periods)
    ax.set_ylabel(unit, parse_math=False)
    style.thousands(ax.yaxis)
    ax.axhline(0, **_axis_line())
    return layers


def _sides(places: Floats) -> tuple[Floats, Floats]:
    """Find where bars begin and end: side by side if they are many."""
    half = _spacing(places) / 2
    if len(places) <= _CROWDED:
        return places - half * _SHARE, places + half * _SHARE
    middles = (places[:-1] + places[1:]) / 2
    near = np.diff(places) < 3 * half  # neighbours, though days and months differ in length
    lefts = np.append(places[0] - half, np.where(near, middles, places[1:] - half))
    rights = np.append(np.where(near, middles, places[:-1] + half), places[-1] + half)
    return lefts, rights


def _horizontal(ax: Axes, rows: pd.DataFrame, looks: Looks, rest: str | None, unit: str) -> None:
    """Draw one bar per label with its amount, the most expensive on top and the `rest` last."""
    widths = rows.groupby("label")["value"].sum(min_count=1).reindex(list(looks)).dropna()
    widths = widths.loc[sorted(widths.index, key=lambda label: (label == rest, -widths[label]))]
    bars = ax.barh(range(len(widths)), widths.to_numpy(), _SHARE)
    for bar, label in zip(bars, widths.index, strict=True):
        bar.set(**looks[label])
    size = style.font_for(ax, len(widths), mpl.rcParams["ytick.labelsize"])
    names = [style.shorten(label, 28) for label in widths.index]
    ax.set_yticks(range(len(widths)), names, fontsize=size, parse_math=False)
    size = style.font_for(ax, len(widths), "small")
    amounts = [style.amount(width) for width in widths]
    ax.bar_label(bars, amounts, padding=_PADDING, fontsize=size)
    ax.invert_yaxis()
    style.lay_out(ax)
    letters = max(map(len, amounts))
    beyond = min(0.3, (style.width_of(letters, size) + _PADDING) / style.size_of(ax)[0])
    ax.margins(x=beyond / (1 - 2 * beyond))  # room for the amounts on either side
    ax.xaxis.set_major_locator(MaxNLocator(min(style.most_labels(ax, letters), 8)))
    ax.set_xlabel(unit, parse_math=False)
    style.thousands(ax.xaxis)
    ax.axvline(0, **_axis_line())


def _axis_line() -> dict[str, Any]:
    return {"color": mpl.rcParams["axes.edgecolor"], "linewidth": mpl.rcParams["axes.linewidth"]}


def _places_of(periods: pd.DatetimeIndex) -> Floats:
    """Return where on the axis each period starts, in matplotlib's days."""
    return np.asarray(mdates.date2num(periods), dtype=np.float64)  # type: ignore[no-untyped-call]


def _spacing(places: Floats) -> float:
    """Return the least distance between neighbours: a day for a single one."""
    return float(np.diff(places).min()) if len(places) > 1 else 1.0


def _label_periods(ax: Axes, periods: pd.DatetimeIndex) -> None:
    """Put dates on the axis and name the zone: every one of a few periods, else round dates."""
    ax.set_xlabel(f"start of the period ({periods.tz})", wrap=True)
    if not len(periods):
        return
    if len(periods) <= min(4, style.most_labels(ax, len("2025-03-01"))):
        days = periods == periods.normalize()
        dates = periods.strftime("%Y-%m-%d" if days.all() else "%Y-%m-%d\n%H:%M")
        ax.set_xticks(_places_of(periods).tolist(), dates.tolist())
        return
    locator = mdates.AutoDateLocator(periods.tz, minticks=3, maxticks=9)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    formatter = mdates.ConciseDateFormatter(locator, periods.tz)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_formatter(formatter)
