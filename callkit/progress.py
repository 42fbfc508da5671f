"""The progress bar of a fetch: in a terminal or a notebook, and silent anywhere else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import tqdm.auto
import tqdm.autonotebook
import tqdm.std

from callkit.outcomes import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from callkit.fetch.pacing import Pace
    from callkit.outcomes import Outcome

__all__ = ["watched"]

_WORTH_A_BAR = 300  # calls


def watched(
    outcomes: Iterable[Outcome],
    total: int | None,
    progress: bool | None,
    pace: Callable[[], Pace | None],
) -> Iterator[Outcome]:
    """Yield `outcomes` and show how far they are.

    Parameters
    ----------
    outcomes : iterable of Outcome
        What is waited for.
    total : int or None
        How many there will be, where that is known.
    progress : bool or None
        Whether to show a bar; None: in a terminal or a notebook, from some hundred calls on.
    pace : callable
        Gives the pace of what is being fetched, once anything is.
    """
    shown = _is_watched(total) if progress is None else progress
    if not shown:
        yield from outcomes
        return
    failed = 0
    with tqdm.auto.tqdm(total=total, unit="call", smoothing=0.1) as bar:
        for outcome in outcomes:
            failed += isinstance(outcome, Failure)
            if bar.update():
                bar.set_postfix(_postfix(failed, pace()))
            yield outcome
        bar.set_postfix(_postfix(failed, pace()))


def _postfix(failed: int, pace: Pace | None) -> dict[str, int]:
    if pace is None:
        return {"failed": failed}
    return {"failed": failed, "429s": pace.refusals_met, "in flight": pace.in_flight}


def _is_watched(total: int | None) -> bool:
    in_notebook = tqdm.autonotebook.tqdm is not tqdm.std.tqdm
    return (in_notebook or sys.stderr.isatty()) and (total is None or total >= _WORTH_A_BAR)
