"""The progress bar of a fetch: in a terminal or a notebook, and silent anywhere else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import tqdm.auto
import tqdm.std

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from callkit.outcomes import Outcome

from callkit.outcomes import Failure

__all__ = ["watched"]

_WORTH_A_BAR = 300  # calls


def watched(
    outcomes: Iterable[Outcome], total: int | None, progress: bool | None
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
    """
    shown = _is_watched(total) if progress is None else progress
    failed = 0
    with tqdm.auto.tqdm(total=total, unit="call", disable=not shown, smoothing=0.1) as bar:
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                failed += 1
                bar.set_postfix(failed=failed, refresh=False)
            bar.update()
            yield outcome


def _is_watched(total: int | None) -> bool:
    in_notebook = tqdm.auto.tqdm.__mro__[1] is not tqdm.std.tqdm
    return (in_notebook or sys.stderr.isatty()) and (total is None or total >= _WORTH_A_BAR)
