"""What a breakdown says of itself: which calls it covers, as of when, in which zone."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["covering"]


def covering(
    table: pd.DataFrame, df: pd.DataFrame, tz: str | None = None, *, calls: int | None = None
) -> pd.DataFrame:
    """Put into `table.attrs` what `df` says of its calls, how many are covered, and the zone.

    Those covered are all calls of `df`, unless `calls` says how many.
    """
    said = df.attrs.get("callkit")
    of_calls = said if isinstance(said, dict) else {}
    zone = {} if tz is None else {"tz": tz}
    covered = len(df) if calls is None else calls
    table.attrs = {"callkit": {**of_calls, "calls_covered": covered, **zone}}
    return table
