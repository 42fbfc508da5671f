"""Which loop serves what is asked: a SID list, a date range, or the failures of a date range."""

from collections.abc import Iterator
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
from callkit.page_options import PageOptions
from callkit.paging import Hints
from callkit.sids import CallKey, SidSource, accounts_found, read_dated_sids, read_sids
from callkit.start_days import start_days


def run_over(
    calls: SidSource | CallList | BulkExport,
    client: Client | None,
    cache: str | PathLike[str] | None,
    refresh: Refresh,
    progress: bool | None,
    *,
    options: PageOptions,
) -> Run | ListRun | BulkExportRun:
    """Make the run over a SID list, a date range or files, or the failures of a date range."""
    if isinstance(calls, BulkExport):
        passed = {"client": client, "cache": cache, "refresh": refresh}
        for name in [*(name for name in passed if passed[name] is not None), *options.given]:
            raise BulkExportError(f"A BulkExport is read from files: {name} does not apply")
        return BulkExportRun(calls, progress)
    if isinstance(calls, CallList):
        _refuse_for_range(options)
        return ListRun(calls, client, cache, refresh, progress)
    if isinstance(calls, pd.DataFrame) and (found := _asked_again(calls)):
        _refuse_for_range(options)
        asked, again = found
        return ListRun(asked, client, cache, refresh, progress, again=again)
    options.check_length_known(calls)
    keys: list[CallKey] | Iterator[CallKey]
    if options.date_column is None:
        keys, days = read_sids(calls), {}
    else:
        dated = read_dated_sids(calls, options.date_column)
        keys, days = dated.keys, start_days(dated)
    hints = Hints(days, options.range)
    return Run(
        *(keys, client, cache, refresh, progress),
        pages=options.pages,
        hints=hints,
        found_in=accounts_found(calls),
    )


def _refuse_for_range(options: PageOptions) -> None:
    for name in options.given:
        raise CallListError(
            f"Cannot combine a date range with {name}, which is for SID lists: the days of a date "
            "range are always listed page by page"
        )


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
