"""What to list and fetch again after the failures of a date range."""

from datetime import date
from typing import NamedTuple

import pandas as pd

from callkit.call_list import CallList
from callkit.errors import CallListError
from callkit.sids import CallKey, read_sids


class Again(NamedTuple):
    """Single days, and single calls of other days."""

    days: list[tuple[str, date]]
    calls: list[CallKey]


def asked_again(failures: pd.DataFrame) -> tuple[CallList, Again] | None:
    """Read from a frame of failures what was asked, and which days and calls are missing.

    A call of a day that is listed again is not fetched as well. None if the calls can be fetched
    without knowing what was asked.
    """
    if not {"sid", "day"} <= set(failures.columns):
        return None
    whole = failures[failures["sid"].isna() & failures["day"].notna()]
    asked = failures.attrs.get("callkit", {}).get("call_list")
    if asked is None and len(whole):
        raise CallListError(
            "The failures name days to list again, but not the range and the filters that were "
            "asked for: a file does not keep them. Pass the CallList again"
        )
    if asked is None or failures["day"].isna().all():
        return None
    days = list(zip(whole["account_sid"], whole["day"], strict=True))
    of_day = pd.MultiIndex.from_frame(failures[["account_sid", "day"]]).isin(days)
    calls = read_sids(failures.loc[~of_day, ["sid", "account_sid"]])
    named = [(account, date.fromisoformat(day)) for account, day in days]
    return CallList(**asked), Again(named, list(calls))
