"""Connectivity cost, over time or by key."""

from collections.abc import Collection
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from callkit.breakdown.measures import MEASURES
from callkit.charts import breakdowns, style
from callkit.charts.bars import horizontal, stacked
from callkit.errors import FrameError

_NEEDED = ("price_unit", "priced_calls", "unpriced_calls", "cost")
_NO_KEYS = {"period", "price_unit", *(column.name for column in MEASURES)}
_MOST_BARS = 12
_MOST_LAYERS = 6
_REST: dict[str, Any] = {"facecolor": "0.8", "hatch": "////", "edgecolor": "0.45", "linewidth": 0}


def cost(breakdown: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw connectivity cost: over time where the breakdown has periods, else by its keys.

    Over time, bars stand on the start of their period and are stacked by key: the five most
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
        The one drawn on. Currencies never share an axis: where there are several, this Axes bears
        the title, and in its place stands a panel for each currency, in the order of their codes
        (``ax.child_axes``).

    Raises
    ------
    FrameError
        `breakdown` is no cost breakdown.

    Examples
    --------
    >>> daily = callkit.cost_breakdown(df, "direction", freq="D")  # doctest: +SKIP
    >>> callkit.charts.cost(daily).figure.savefig("cost.png")  # doctest: +SKIP
    """
    if not breakdowns.holds(breakdown, _NEEDED):
        raise FrameError(
            "charts.cost expects the result of callkit.cost_breakdown, for example "
            "callkit.cost_breakdown(df, by=..., freq=...)"
        )
    breakdown = breakdowns.without_totals(breakdown)
    keys = [name for name in breakdown.columns if name not in _NO_KEYS]
    over_time = "period" in breakdown.columns
    rows, labels, rest = _labelled(breakdown, keys, _MOST_LAYERS if over_time else _MOST_BARS)
    shades = style.looks(len(labels)) if over_time else style.looks(1) * len(labels)
    how = dict(zip(labels, shades, strict=True))
    if rest:
        how[rest] = _REST
    currencies = breakdowns.currencies_in(breakdown)
    notes = breakdowns.notes_by_currency(breakdown, currencies, _notes)
    ax, panels = style.panels_in(ax, _title(breakdown, keys), notes)
    if not currencies:
        style.empty(ax, "no call has a price")
    drawn = []
    for panel, currency in zip(panels, currencies, strict=False):
        mine = rows[rows["currency"] == currency]
        if not over_time:
            horizontal(panel, mine, how, rest, currency)
        elif layers := stacked(panel, mine, how, currency):
            drawn.append((panel, layers))
    if drawn and len(labels) > 1:
        style.legend_above(*drawn[0])
    return ax


def _title(breakdown: pd.DataFrame, keys: list[str]) -> str:
    by = f" by {', '.join(keys)}" if keys else ""
    zone = breakdowns.zone_of(breakdown) if {"hour", "weekday"} & set(keys) else ""
    return f"Connectivity cost{by}{zone}"


def _labelled(
    breakdown: pd.DataFrame, keys: list[str], most: int
) -> tuple[pd.DataFrame, list[str], str | None]:
    """Name what each row is drawn as, and list the names, most expensive first, and the rest."""
    rows = breakdown.filter(["period"]).assign(
        currency=breakdowns.currency_of(breakdown),
        label=_joined(breakdown[keys]),
        value=breakdown["cost"].astype("float64"),
    )
    size = rows["value"].abs()
    share = (size / size.groupby(rows["currency"]).transform("sum")).where(size != 0, 0.0)
    ranked = share.where(size.notna()).groupby(rows["label"]).sum(min_count=1).dropna()
    labels = ranked.sort_values(ascending=False, kind="stable").index.tolist()
    if len(labels) <= most:
        return rows, labels, None
    shown, others = labels[: most - 1], labels[most - 1 :]
    rest = _unused(f"other ({len(others):,})", shown)
    rows["label"] = rows["label"].where(~rows["label"].isin(others), rest)
    return rows, [*shown, rest], rest


def _joined(keys: pd.DataFrame) -> list[str]:
    """Write the keys of each row as one label, and what is null as no value is written."""
    written = []
    for name in keys:
        values = keys[name].astype(object)
        null = _unused("(none)", set(map(str, values.dropna())))
        written.append(values.map(str).where(values.notna(), null))
    return [" · ".join(row) for row in zip(*written, strict=True)] or [""] * len(keys)


def _unused(name: str, taken: Collection[str]) -> str:
    """Put a name in brackets until nothing else is called so."""
    while name in taken:
        name = f"({name})"
    return name


def _notes(breakdown: pd.DataFrame) -> list[str]:
    """Say what the bars come to; then what is left out of them, and what is not known yet."""
    priced = breakdown[breakdown["cost"].notna()]
    besides = []
    if "period" in priced and priced["period"].isna().any():
        apart = breakdowns.cost_of(priced[priced["period"].isna()])
        besides.append(f"calls that never started, not drawn: {apart}")
    if unpriced := int(breakdown["unpriced_calls"].sum()):
        besides.append(f"completed calls not priced yet: {unpriced:,}")
    return [f"{breakdowns.cost_of(priced)} in all" if len(priced) else "", " · ".join(besides)]
