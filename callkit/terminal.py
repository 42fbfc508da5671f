"""The terminal or notebook that a fetch runs in: its progress bar, and its interrupts."""

import asyncio
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

import tqdm

with warnings.catch_warnings():
    # Without ipywidgets, a notebook shows a text bar; the warning about it is noise.
    warnings.simplefilter("ignore", tqdm.TqdmWarning)
    import tqdm.auto

from callkit.fetch.pool import Pool

_WORTH_A_BAR = 300  # calls
_AT_THE_END = "{n_fmt}/{total_fmt} calls [{elapsed}{postfix}]"  # a rate would be the last moment's


class Bar:
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
        counts = {"failed": self._failed}
        if self._pool is not None:
            counts |= self._pool.traffic
        self._bar.set_postfix({name: count for name, count in counts.items() if count})


@contextmanager
def progress_bar(total: int | None, progress: bool | None) -> Iterator[Bar | None]:
    """Show the progress of `total` calls, None if unknown; yield None if no bar is shown.

    If `progress` is None, a terminal or a notebook shows a bar from some hundred calls on.
    """
    in_notebook = "ipykernel.zmqshell" in sys.modules
    if progress is None:
        worth_it = total is None or total >= _WORTH_A_BAR
        progress = worth_it and (in_notebook or sys.stderr.isatty())
    if not progress:
        yield None
        return
    place = sys.stdout if in_notebook else sys.stderr  # a notebook shows the latter as alarm
    # Updated several times a second, also with nothing: it then shows what it has not shown yet.
    with tqdm.auto.tqdm(total=total, unit=" calls", smoothing=0.1, miniters=1, file=place) as bar:
        shown = Bar(bar)
        try:
            yield shown
        finally:
            bar.bar_format = _AT_THE_END
            shown.describe()


@dataclass
class Interrupts:
    """Ctrl-C and Jupyter's stop button, handled at a moment when nothing can be lost.

    The first interrupt sets `heard`. A second one is a KeyboardInterrupt, and so is the first one
    while `at_once` is set: while user code runs.
    """

    heard: bool = False
    at_once: bool = False

    def note(self, number: int, frame: FrameType | None) -> None:
        again, self.heard = self.heard, True
        if again or self.at_once:
            signal.default_int_handler(number, frame)


@contextmanager
def deferred_interrupts() -> Iterator[Interrupts]:
    """Note an interrupt instead of raising a KeyboardInterrupt between any two lines.

    Interrupts are left alone in another thread than the main one, and under a framework that has
    set a handler of its own; unless that handler needs the event loop that the fetch holds up, as
    in a notebook's cell with an ``await``: it would never come to act.
    """
    interrupts = Interrupts()
    handler = signal.getsignal(signal.SIGINT)
    deferrable = handler is signal.default_int_handler or (
        callable(handler) and _holds_up_an_event_loop()
    )
    if not deferrable or threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    signal.signal(signal.SIGINT, interrupts.note)
    try:
        yield interrupts
    finally:
        signal.signal(signal.SIGINT, handler)


def _holds_up_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
