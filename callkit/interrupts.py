"""Interrupts: Ctrl-C, a notebook's stop button, and the signals that end a command.

Nothing large is imported here: the command hears interrupts before it loads the rest.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, TypeAlias

EXIT_CODE = 130  # as shells have it for Ctrl-C
_WHILE_UNWINDING = 2.0  # seconds

Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | signal.Handlers | None

# Those that the system has: Windows closes a console with SIGBREAK, others a terminal with SIGHUP.
_SIGNALS = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if hasattr(signal, name)
]


class Interrupts:
    """Interrupts of a run, handled at a moment when nothing can be lost.

    The first interrupt sets `heard`. A second one is a KeyboardInterrupt, and so is the first one
    while `at_once` is set: while user code runs.
    """

    def __init__(self) -> None:
        self.heard = self.at_once = False

    def note(self) -> bool:
        """Hear an interrupt, and return whether it is to be raised."""
        again, self.heard = self.heard, True
        return again or self.at_once


_deferring: list[Interrupts] = []  # the runs of the main thread, the innermost last
_unwinds_until = 0.0


def interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a signal handler)
    """Tell the run under way of an interrupt; without a run, raise a KeyboardInterrupt.

    While one unwinds, or after a run that was interrupted, others are not raised for a moment: what
    removes unfinished files is not to be disturbed.
    """
    global _unwinds_until  # noqa: PLW0603  (a signal handler has no other state)
    now = time.monotonic()
    is_due = _deferring[-1].note() if _deferring else True
    if is_due and now >= _unwinds_until:
        _unwinds_until = now + _WHILE_UNWINDING
        raise KeyboardInterrupt


@contextmanager
def deferred_interrupts() -> Iterator[Interrupts]:
    """Note an interrupt instead of raising a KeyboardInterrupt between any two lines.

    Interrupts are left alone in another thread than the main one, and under a framework that has
    set a handler of its own; unless that handler needs the event loop that the fetch holds up, as
    in a notebook's cell with an ``await``: it would never come to act.
    """
    global _unwinds_until  # noqa: PLW0603  (a signal handler has no other state)
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    handler = signal.getsignal(signal.SIGINT)
    deferrable = handler is signal.default_int_handler or (
        callable(handler) and _holds_up_an_event_loop()
    )
    if deferrable:
        signal.signal(signal.SIGINT, interrupt)
    _deferring.append(interrupts)
    _unwinds_until = 0.0
    try:
        yield interrupts
    except Exception as error:
        # In the middle of threading's own code, an interrupt can come out as another exception.
        if _is_of_an_interrupt(error):
            raise KeyboardInterrupt from None
        raise
    finally:
        _deferring.remove(interrupts)
        if interrupts.heard:
            _unwinds_until = time.monotonic() + _WHILE_UNWINDING
        if deferrable:
            signal.signal(signal.SIGINT, handler)


def _is_of_an_interrupt(error: BaseException | None) -> bool:
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None


def _holds_up_an_event_loop() -> bool:
    import asyncio  # noqa: PLC0415  (it is large)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def handle(handler: Handler) -> dict[int, Handler]:
    """Set the handler of the signals that end a command, and return the earlier ones.

    A signal that is ignored stays so, as under ``nohup`` and, for Ctrl-C, in the background.
    """
    before: dict[int, Handler] = {}
    for number in _SIGNALS:
        earlier = signal.getsignal(number)
        if earlier is not None and earlier is not signal.SIG_IGN:
            before[number] = signal.signal(number, handler)
    return before


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Have all signals that end a command interrupt as Ctrl-C does, so that it leaves no rest."""
    global _unwinds_until  # noqa: PLW0603  (a signal handler has no other state)
    _unwinds_until = 0.0
    before = handle(interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def end_at_once(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (a signal handler)
    """End a command that has nothing to lose yet, in whatever an import has called."""
    with suppress(OSError):  # standard error may be closed
        os.write(2, b"callkit: interrupted\n")
    os._exit(EXIT_CODE)
