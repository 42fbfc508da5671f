"""Ctrl-C and Jupyter's stop button, handled at a moment when nothing can be lost."""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupts:
    """Whether there was an interrupt.

    Attributes
    ----------
    heard : bool
        Set by the first interrupt; a second one is a KeyboardInterrupt.
    at_once : bool
        While this is set, the first interrupt is a KeyboardInterrupt too: while user code runs.
    """

    heard: bool = False
    at_once: bool = False

    def note(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal."""
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
