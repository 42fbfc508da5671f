"""Reading the breakdowns that are drawn: rows of groups only, each currency apart."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeGuard

import pandas as pd

from callkit.charts.style import amount


def holds(table: object, columns: Iterable[str]) -> TypeGuard[pd.DataFrame]:
    """Say whether it is a frame that has `columns`, and whose periods, if any, have a zone."""
    if not isinstance(table, pd.DataFrame) or not set(columns) <= set(table.columns):
        return False
    return "period" not in table or isinstance(table["period"].dtype, pd.DatetimeTZDtype)


def without_totals(breakdown: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows of ``margins=True``, which would count every call again."""
    if "total_over" not in breakdown.columns:
        return breakdown
    return breakdown[breakdown["total_over"].isna()].drop(columns="total_over")


def zone_of(breakdown: pd.DataFrame) -> str:
    """Write in which zone hours and weekdays are, in brackets, where the breakdown still tells."""
    said = breakdown.attrs.get("callkit")
    zone = said.get("tz") if isinstance(said, dict) else None
    return f" ({zone})" if zone else ""


def currency_of(breakdown: pd.DataFrame) -> pd.Series:
    """Name the currency of each row."""
    currency = breakdown["price_unit"].astype(object)
    return currency.where(currency.notna(), "no currency")


def currencies_in(breakdown: pd.DataFrame) -> list[str]:
    """List the currencies in which something has a price, in the order of their codes."""
    return sorted(currency_of(breakdown)[breakdown["cost"].notna()].unique())


def cost_of(rows: pd.DataFrame) -> str:
    """Write what rows of one currency, of which something has a price, come to."""
    (currency,) = currencies_in(rows)
    return f"{amount(rows['cost'].sum())} {currency}"


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
