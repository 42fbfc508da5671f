"""How a command lives with the shell around it: signals, pipes, warnings and logs."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from contextlib import ExitStack, contextmanager
from io import TextIOWrapper
from typing import TYPE_CHECKING

from callkit.cli.telling import complain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

__all__ = ["run_as_a_command"]

_LOGGED = ("callkit", "urllib3")
_LINE = "%(asctime)s %(name)s: %(message)s"


def run_as_a_command(run: Callable[[], int], *, verbose: bool) -> int:
    """Run something as a command should run, and return its exit code.

    SIGTERM interrupts like Ctrl-C, so that a job that is stopped leaves whole files, and in the
    cache what it fetched. Whoever reads standard output may go away, as ``head`` does. What its
    encoding does not have is written as an escape. A warning is one line. `verbose` logs what is
    asked and answered, on standard error.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    with ExitStack() as stack:
        stack.enter_context(_terminated_like_interrupted())
        stack.enter_context(warnings.catch_warnings())
        warnings.showwarning = _tell  # as its documentation has it
        if verbose:
            stack.enter_context(_logged())
        try:
            code = run()
            print(end="", flush=True)
        except BrokenPipeError:
            # At its end Python flushes once more, and would complain of it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_: int, frame: FrameType | None) -> None:
    """Do what Ctrl-C does, also where a shell has switched that off (``&`` in a script)."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        handler = signal.default_int_handler
    handler(signal.SIGINT, frame)


def _tell(message: Warning | str, *_: object, **__: object) -> None:
    complain(message, 0)


@contextmanager
def _logged() -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_LINE))
    loggers = [logging.getLogger(name) for name in _LOGGED]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
