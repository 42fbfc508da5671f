"""deferred_interrupts: which Ctrl-C is noted, and which is left alone."""

from __future__ import annotations

import asyncio
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from callkit.interrupts import deferred_interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


class FrameworkError(Exception):
    """What a framework's own handler raises."""


def of_a_framework(number: int, frame: FrameType | None) -> None:
    raise FrameworkError


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_first_interrupt_is_noted_and_the_second_is_raised() -> None:
    with deferred_interrupts() as interrupts:
        assert not interrupts.heard
        signal.raise_signal(signal.SIGINT)
        assert interrupts.heard
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_while_code_of_the_users_runs_the_first_interrupt_is_raised_too() -> None:
    with deferred_interrupts() as interrupts:
        interrupts.at_once = True
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert interrupts.heard


def test_the_handler_of_a_framework_is_left_in_charge() -> None:
    with (
        handled_by(of_a_framework),
        deferred_interrupts() as interrupts,
        pytest.raises(FrameworkError),
    ):
        signal.raise_signal(signal.SIGINT)
    assert not interrupts.heard


def test_a_handler_that_waits_for_an_event_loop_held_up_by_the_fetch_is_not() -> None:
    async def fetch() -> bool:
        with deferred_interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            return interrupts.heard

    with handled_by(of_a_framework):
        assert asyncio.run(fetch())
        assert signal.getsignal(signal.SIGINT) is of_a_framework


def test_another_thread_than_the_main_one_hears_nothing() -> None:
    answers: list[bool] = []

    def fetch() -> None:
        with deferred_interrupts() as interrupts:
            answers.append(interrupts.heard)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=fetch)
    thread.start()
    thread.join()
    assert (answers, signal.getsignal(signal.SIGINT)) == ([False], before)
