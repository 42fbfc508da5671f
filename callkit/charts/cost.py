"""Connectivity cost, over time or by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from callkit.breakdown.measures import MEASURES
from callkit.charts.bars import horizontal, stacked
from callkit.charts.layout import empty, legend_above, new_axes, panels_in
from callkit.charts.style import amount, looks
from callkit.charts.tables import (
    currencies_in,
    currency_of,
    holds,
    notes_by_currency,
    without_totals,
    zone_of,
)
from callkit.errors import FrameError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from matplotlib.axes import Axes

__all__ = ["cost"]

_NEEDED = ("price_unit", "priced_calls", "unpriced_calls", "cost")
_MEASURES = {column.name for column in MEASURES}
_MOST_BARS = 12
_MOST_LAYERS = 6
_REST: dict[str, Any] = {
    "facecolor": "0.8",
    "hatch": "////",
    "edgecolor": "0.45",
    "linewidth": 0,
}


def cost(breakdown: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw connectivity cost: over time where the breakdown has periods, else by its keys.

    Over time, bars stand on the start of their period and are stacked by key: the five dearest
    keys, and the others together. Without periods there is one bar per key: the eleven dearest,
    and the others together. What is drawn is ``cost``, charges less credits; groups in which no
    call has a price have none, and rows of totals are left out. A note says what all comes to, and
    what is not drawn or not known.

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
    >>> import callkit
    >>> daily = callkit.cost_breakdown(df, "direction", freq="D")  # doctest: +SKIP
    >>> callkit.charts.cost(daily).figure.savefig("cost.png")  # doctest: +SKIP
    """
    _check(breakdown)
    breakdown = without_totals(breakdown)
    keys = [name for name in breakdown.columns if name not in _MEASURES]
    keys = [name for name in keys if name not in {"period", "price_unit"}]
    over_time = "period" in breakdown.columns
    tidy, labels, rest = _labelled(breakdown, keys, _MOST_LAYERS if over_time else _MOST_BARS)
    currencies = currencies_in(breakdown)
    ax = new_axes(max(1, len(currencies))) if ax is None else ax
    notes = notes_by_currency(breakdown, currencies, _notes)
    panels = panels_in(ax, _title(breakdown, keys), notes)
    if not currencies:
        empty(ax, "no call has a price")
    layers = []
    for panel, currency in zip(panels, currencies, strict=False):
        mine = tidy[tidy["currency"] == currency]
        if over_time:
            how = _by_label(labels, rest, looks(len(labels)))
            layers.append((panel, stacked(panel, mine, how, currency)))
        else:
            horizontal(panel, mine, _by_label(labels, rest, looks(1) * len(labels)), rest, currency)
    drawn = [(panel, mine) for panel, mine in layers if mine]
    if drawn and len(labels) > 1:
        legend_above(*drawn[0])
    return ax


def _check(breakdown: object) -> None:
    if not holds(breakdown, _NEEDED):
        raise FrameError(
            "charts.cost draws what callkit.cost_breakdown returns: pass it "
            "callkit.cost_breakdown(df, by=..., freq=...)"
        )


def _title(breakdown: pd.DataFrame, keys: list[str]) -> str:
    zone = zone_of(breakdown) if {"hour", "weekday"} & set(keys) else None
    by = f" by {', '.join(keys)}" if keys else ""
    return f"Connectivity cost{by}" + (f" ({zone})" if zone else "")


def _by_label(
    labels: list[str], rest: str | None, looks: Sequence[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    pairs = zip(labels, looks, strict=True)
    return {label: _REST if label == rest else look for label, look in pairs}


def _labelled(
    breakdown: pd.DataFrame, keys: list[str], most: int
) -> tuple[pd.DataFrame, list[str], str | None]:
    """Name what each row is drawn as, and list the names, dearest first, and the rest."""
    tidy = pd.DataFrame(
        {
            "currency": currency_of(breakdown),
            "label": _joined(breakdown[keys]),
            "value": breakdown["cost"].astype("float64"),
        }
    )
    if "period" in breakdown.columns:
        tidy["period"] = breakdown["period"]
    size = tidy["value"].abs()
    share = (size / size.groupby(tidy["currency"]).transform("sum")).where(size != 0, 0.0)
    dearest = share.where(size.notna()).groupby(tidy["label"]).sum(min_count=1).dropna()
    labels = dearest.sort_values(ascending=False, kind="stable").index.tolist()
    if len(labels) <= most:
        return tidy, labels, None
    shown, others = labels[: most - 1], labels[most - 1 :]
    rest = _unused(f"other ({len(others):,})", shown)
    tidy["label"] = tidy["label"].where(~tidy["label"].isin(others), rest)
    return tidy, [*shown, rest], rest


def _joined(keys: pd.DataFrame) -> pd.Series:
    """Write the keys of each row as one label."""
    written = [_written(keys[name]) for name in keys]
    rows = zip(*written, strict=True) if written else ([] for _ in range(len(keys)))
    return pd.Series([" · ".join(row) for row in rows], keys.index, dtype="str")


def _written(key: pd.Series) -> list[str]:
    """Write the values of a key, and what is null as no value is written."""
    values = key.astype(object)
    null = _unused("(none)", set(map(str, values.dropna())))
    return values.map(str).where(values.notna(), null).tolist()


def _unused(name: str, taken: Collection[str]) -> str:
    """Put a name in brackets until nothing else is called so."""
    while name in taken:
        name = f"({name})"
    return name


def _notes(breakdown: pd.DataFrame) -> list[str]:
    """Say what the bars come to; then what is left out of them, and what is not known yet."""
    priced = breakdown[breakdown["cost"].notna()]
    notes, besides = [], []
    if len(priced):
        (currency,) = currency_of(priced).unique()
        notes.append(f"{amount(priced['cost'].sum())} {currency} in all")
        if "period" in priced and priced["period"].isna().any():
            apart = amount(priced.loc[priced["period"].isna(), "cost"].sum())
            besides.append(f"calls that never started, not drawn: {apart} {currency}")
    unpriced = int(breakdown["unpriced_calls"].sum())
    if unpriced:
        besides.append(f"completed calls not priced yet: {unpriced:,}")
    return [*notes, " · ".join(besides)] if besides else notes
