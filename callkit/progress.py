"""The progress bar of a fetch: in a terminal or a notebook, and silent anywhere else."""

import sys
import warnings
from contextlib import contextmanager
from typing import Any

import tqdm

with warnings.catch_warnings():
    # Without ipywidgets, a notebook shows a text bar; the warning about it is noise.
    warnings.simplefilter("ignore", tqdm.TqdmWarning)
    import tqdm.auto

from collections.abc import Iterator

from callkit.fetch.pool import Pool

_WORTH_A_BAR = 300  # calls
_AT_THE_END = "{n_fmt}/{total_fmt} calls [{elapsed}{postfix}]"  # a rate would be the last moment's


class Bar:
    """Shows the progress of a fetch."""

    def __init__(self, bar: "tqdm.std.tqdm[Any]") -> None:
        self._bar = bar
        self._failed = 0
        self._pool: Pool | None = None

    def add(self, calls: int, failed: int, pool: Pool | None) -> None:
        """Count calls as they arrive, in any order, so that a slow call does not stop the bar."""
        self._failed += failed
        self._pool = pool
        if self._bar.update(calls):
            self.describe()

    def add_cached(self, calls: int) -> None:
        """Count calls of the cache: rate and remaining time are those of fetched calls."""
        self._bar.initial += calls
        self._bar.last_print_n += calls
        self._bar.n += calls
        self._bar.refresh()

    def describe(self) -> None:
        """Show the failures, the 429s and the requests in flight, if there are any."""
        counts = {"failed": self._failed}
        if self._pool is not None:
            traffic = self._pool.traffic
            counts |= {"429s": traffic.refused, "in flight": traffic.in_flight}
        self._bar.set_postfix({name: count for name, count in counts.items() if count})


@contextmanager
def progress_bar(total: int | None, progress: bool | None) -> Iterator[Bar | None]:
    """Show the progress of a fetch; yield None if no bar is shown.

    Parameters
    ----------
    total : int or None
        How many calls there will be, where that is known.
    progress : bool or None
        Whether to show a bar; None: in a terminal or a notebook, from some hundred calls on.
    """
    if progress is None:
        worth_it = total is None or total >= _WORTH_A_BAR
        progress = worth_it and (_in_notebook() or sys.stderr.isatty())
    if not progress:
        yield None
        return
    place = sys.stdout if _in_notebook() else sys.stderr  # a notebook shows the latter as alarm
    # Updated several times a second, also with nothing: it then shows what it has not shown yet.
    bar = tqdm.auto.tqdm(total=total, unit=" calls", smoothing=0.1, miniters=1, file=place)
    with bar:
        shown = Bar(bar)
        try:
            yield shown
        finally:
            bar.bar_format = _AT_THE_END
            shown.describe()


def _in_notebook() -> bool:
    return "ipykernel.zmqshell" in sys.modules
