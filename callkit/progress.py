"""The progress bar of a fetch: in a terminal or a notebook, and silent anywhere else."""

from __future__ import annotations

import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

import tqdm

from callkit.outcomes import Failure

with warnings.catch_warnings():
    # Without ipywidgets, a notebook gets a bar of text: nothing that a user must hear of.
    warnings.simplefilter("ignore", tqdm.TqdmWarning)
    import tqdm.auto

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import TypeAlias

    from callkit.fetch.pacing import Pace
    from callkit.outcomes import Outcome

    Count: TypeAlias = Callable[[Sequence[Outcome]], None]

__all__ = ["counting"]

_WORTH_A_BAR = 300  # calls
_AT_THE_END = "{n_fmt}/{total_fmt} calls [{elapsed}{postfix}]"  # a rate would be the last moment's


@contextmanager
def counting(
    total: int | None, progress: bool | None, pace: Callable[[], Pace | None]
) -> Iterator[Count]:
    """Show how far a fetch is, and give a function that is told of what has come.

    It is told as calls come, in whatever order: one slow call holds back no bar.

    Parameters
    ----------
    total : int or None
        How many calls there will be, where that is known.
    progress : bool or None
        Whether to show a bar; None: in a terminal or a notebook, from some hundred calls on.
    pace : callable
        Gives the pace of what is being fetched, once anything is.
    """
    shown = _is_watched(total) if progress is None else progress
    if not shown:
        yield _unseen
        return
    failed = 0
    place = sys.stdout if _in_notebook() else sys.stderr  # a notebook shows the latter as alarm
    # Told of nothing several times a second, it shows all the same what it has not shown yet.
    bar = tqdm.auto.tqdm(total=total, unit=" calls", smoothing=0.1, miniters=1, file=place)
    with bar:

        def count(outcomes: Sequence[Outcome]) -> None:
            nonlocal failed
            failed += sum(isinstance(outcome, Failure) for outcome in outcomes)
            if bar.update(len(outcomes)):
                bar.set_postfix(_postfix(failed, pace()))

        try:
            yield count
        finally:
            bar.bar_format = _AT_THE_END
            bar.set_postfix(_postfix(failed, pace()))


def _unseen(outcomes: Sequence[Outcome]) -> None:
    """Count nothing: nobody watches."""


def _postfix(failed: int, pace: Pace | None) -> dict[str, int]:
    if pace is None:
        return {"failed": failed}
    return {"failed": failed, "429s": pace.refusals_met, "in flight": pace.in_flight}


def _is_watched(total: int | None) -> bool:
    return (_in_notebook() or sys.stderr.isatty()) and (total is None or total >= _WORTH_A_BAR)


def _in_notebook() -> bool:
    return "ipykernel.zmqshell" in sys.modules
