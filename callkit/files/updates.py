"""A date range exported into a dataset by month that exists already: the nightly job."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from callkit.errors import FetchInterrupted
from callkit.files.datasets import Listed, Refreshed, not_final_calls, update_months
from callkit.files.paths import file_errors, resolved, set_aside
from callkit.listing import ListRun
from callkit.pseudonyms import Pseudonyms
from callkit.sids import canonical_account_sid


@contextmanager
def bringing_up_to_date(
    target: Path, run: ListRun, pseudonyms: Pseudonyms | None, read: Callable[[Path], pd.DataFrame]
) -> Iterator[Path]:
    """Give a temporary folder for a dataset of the calls listed, and put its months into `target`.

    Calls outside of the range that were not final are fetched again first. A month with a day that
    could not be listed completely is left as it is.
    """
    place = resolved(target)
    with file_errors(target):
        temporary = TemporaryDirectory(
            dir=place.parent, prefix=f".{place.name}.", suffix=".part", ignore_cleanup_errors=True
        )
    with temporary as name:
        folder = Path(name)
        yield folder
        listed = Listed(*run.range, list(map(canonical_account_sid, run.accounts)))
        try:
            calls, are_final = run.fetch_again(not_final_calls(target, listed))
        except FetchInterrupted as stop:
            kept = None if run.keeps else partial(read, set_aside(folder, stop))
            stop.attach(kept, run.failures_frame())
            raise
        not_final = {
            sid for sid, final in zip(calls["sid"].to_pylist(), are_final, strict=True) if not final
        }
        update_months(
            target,
            folder,
            listed,
            listed_months=_months(run),
            refreshed=Refreshed(
                calls if pseudonyms is None else pseudonyms.of_table(calls), not_final
            ),
            keep={failure.sid for failure in run.failures if failure.sid is not None},
        )


def _months(run: ListRun) -> set[str]:
    """Name the months that were listed: those of which no day failed."""
    days = {day.isoformat() for day in run.range.days()}
    failed = {failure.day for failure in run.failures if failure.sid is None}
    return {day[:7] for day in days} - {str(day)[:7] for day in failed}
