"""Which loop serves what is asked: a SID list, a date range, or the failures of a date range."""

from datetime import date
from os import PathLike

import pandas as pd

from callkit.bulk import BulkExport
from callkit.bulk.run import BulkExportRun
from callkit.cache.store import Refresh
from callkit.call_list import CallList
from callkit.errors import BulkExportError, CallListError
from callkit.fetch import Client
from callkit.listing import Again, ListRun
from callkit.loop import Run
from callkit.sids import SidSource, read_sids


def run_over(
    calls: SidSource | CallList | BulkExport,
    client: Client | None,
    cache: str | PathLike[str] | None,
    refresh: Refresh,
    progress: bool | None,
) -> Run | ListRun | BulkExportRun:
    """Make the run over a SID list, a date range or files, or the failures of a date range."""
    if isinstance(calls, BulkExport):
        for name, given in {"client": client, "cache": cache, "refresh": refresh}.items():
            if given is not None:
                raise BulkExportError(f"A BulkExport is read from files: {name} does not apply")
        return BulkExportRun(calls, progress)
    if isinstance(calls, CallList):
        return ListRun(calls, client, cache, refresh, progress)
    if isinstance(calls, pd.DataFrame) and (found := _asked_again(calls)):
        asked, again = found
        return ListRun(asked, client, cache, refresh, progress, again=again)
    return Run(read_sids(calls), client, cache, refresh, progress)


def _asked_again(failures: pd.DataFrame) -> tuple[CallList, Again] | None:
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
    anywhere = failures.loc[failures["day"].isna(), "sid"].dropna().tolist()
    return CallList(**asked), Again(named, list(calls), anywhere)
