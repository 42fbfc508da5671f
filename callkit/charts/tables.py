"""Reading the tables that are drawn: rows of groups only, each currency apart, in their zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

__all__ = [
    "currencies_in",
    "currency_of",
    "holds",
    "never_started",
    "notes_by_currency",
    "without_totals",
    "zone_of",
]


def holds(table: object, columns: Iterable[str]) -> bool:
    """Say whether it is a frame that has `columns`, and whose periods, if any, have a zone."""
    if not isinstance(table, pd.DataFrame) or not set(columns) <= set(table.columns):
        return False
    return "period" not in table or isinstance(table["period"].dtype, pd.DatetimeTZDtype)


def without_totals(breakdown: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows of ``margins=True``, which would count every call again."""
    if "total_over" not in breakdown.columns:
        return breakdown
    return breakdown[breakdown["total_over"].isna()].drop(columns="total_over")


def zone_of(breakdown: pd.DataFrame) -> str | None:
    """Look up in which zone the hours and weekdays are, where the breakdown still tells."""
    said = breakdown.attrs.get("callkit")
    zone = said.get("tz") if isinstance(said, dict) else None
    return None if zone is None else str(zone)


def never_started(breakdown: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    """Say of each row whether its calls never started, and so lack the `keys` of time."""
    return breakdown[list(keys)].isna().any(axis="columns")


def currency_of(breakdown: pd.DataFrame) -> pd.Series:
    """Name the currency of each row."""
    return (
        breakdown["price_unit"].astype(object).where(breakdown["price_unit"].notna(), "no currency")
    )


def currencies_in(breakdown: pd.DataFrame) -> list[str]:
    """List the currencies in which something has a price, in the order of their codes."""
    return sorted(currency_of(breakdown)[breakdown["cost"].notna()].unique())


def notes_by_currency(
    breakdown: pd.DataFrame,
    currencies: Sequence[str],
    notes: Callable[[pd.DataFrame], list[str]],
) -> list[list[str]]:
    """Take the notes of each currency, and say what the panels of all of them leave out."""
    if len(currencies) <= 1:
        return [notes(breakdown)]
    mine = currency_of(breakdown)
    taken = [notes(breakdown[mine == currency]) for currency in currencies]
    elsewhere = int(breakdown.loc[~mine.isin(currencies), "unpriced_calls"].sum())
    if elsewhere:
        taken[-1].append(f"in no currency above, completed calls not priced yet: {elsewhere:,}")
    return taken
