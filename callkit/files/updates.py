"""A date range exported into a dataset by month that exists already: the nightly job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pandas as pd

from callkit.errors import FetchInterrupted
from callkit.files.datasets import Listed, Refreshed, not_final_calls, write_months
from callkit.files.replacing import Replacement
from callkit.listing import ListRun
from callkit.pseudonyms import Pseudonyms
from callkit.sids import canonical_account_sid


@contextmanager
def bringing_up_to_date(
    target: Path,
    new: Replacement,
    run: ListRun,
    pseudonyms: Pseudonyms | None,
    read: Callable[[Path], pd.DataFrame],
) -> Iterator[Path]:
    """Give a folder for a dataset of the calls listed, and make of it the new months of `target`.

    Calls outside of the range that were not final are fetched again first. A month with a day that
    could not be listed completely is left as it is.
    """
    folder = new.listed()
    yield folder
    listed = Listed(*run.range, list(map(canonical_account_sid, run.accounts)))
    try:
        calls, are_final = run.fetch_again(not_final_calls(target, listed))
    except FetchInterrupted as stop:
        if not run.keeps:
            new.keep_for(stop)
        stop.attach(None if run.keeps else partial(read, folder), run.failures_frame())
        raise
    not_final = {
        sid for sid, final in zip(calls["sid"].to_pylist(), are_final, strict=True) if not final
    }
    write_months(
        new.months(),
        target,
        folder,
        listed,
        listed_months=_months(run),
        refreshed=Refreshed(calls if pseudonyms is None else pseudonyms.of_table(calls), not_final),
        keep={failure.sid for failure in run.failures if failure.sid is not None},
    )


def _months(run: ListRun) -> set[str]:
    """Name the months that were listed: those of which no day failed."""
    days = {day.isoformat() for day in run.range.days()}
    failed = {failure.day for failure in run.failures if failure.sid is None}
    return {day[:7] for day in days} - {str(day)[:7] for day in failed}
