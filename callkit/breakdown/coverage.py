"""What a breakdown says of itself: which calls it covers, as of when, in which zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["covering"]


def covering(table: pd.DataFrame, df: pd.DataFrame, tz: str | None = None) -> pd.DataFrame:
    """Put into `table.attrs` what `df` says of its calls, how many they are, and the zone."""
    said = df.attrs.get("callkit")
    of_calls = said if isinstance(said, dict) else {}
    zone = {} if tz is None else {"tz": tz}
    table.attrs = {"callkit": {**of_calls, "calls_covered": len(df), **zone}}
    return table
