"""Ctrl-C and Jupyter's stop button, heard at a moment when nothing can be lost."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["deferred_interrupts"]


@contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Give a question, "interrupted?", instead of a KeyboardInterrupt between any two lines.

    A second interrupt is not deferred. Nor is any in another thread than the main one, or under a
    framework that has set a handler of its own; unless that handler needs the event loop that the
    fetch holds up, as in a notebook's cell with an ``await``: it would never come to act.
    """
    handler = signal.getsignal(signal.SIGINT)
    deferrable = handler is signal.default_int_handler or (
        callable(handler) and _holds_up_an_event_loop()
    )
    if not deferrable or threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    interrupted = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            signal.default_int_handler(number, frame)
        interrupted = True

    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: interrupted
    finally:
        signal.signal(signal.SIGINT, handler)


def _holds_up_an_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
