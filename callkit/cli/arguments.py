"""What commands share: their arguments, and how they say what came of it.

Data goes to standard output, everything else to standard error.
"""

import argparse
import math
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, TypeAlias

from callkit.errors import CallkitError

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001

_SLOWEST = 3600.0
_AGE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class CommandError(CallkitError):
    """Something that the command line asked for cannot be done."""


def add_calls(command: argparse.ArgumentParser) -> None:
    """Let a command say which calls it is about, and how to tell periods."""
    command.add_argument(
        "calls", type=Path, metavar="CALLS", help="a Parquet file of calls, or a folder of them"
    )
    command.add_argument(
        "--freq", default="W", help="the length of a period: D, W, M, Q or Y, say (%(default)s)"
    )
    command.add_argument(
        "--tz", default="UTC", help="the time zone whose calendar counts (%(default)s)"
    )


def add_quiet(command: argparse._ActionsContainer) -> None:
    """Let a command be asked to say less."""
    command.add_argument(
        "-q", "--quiet", action="store_true", help="no progress and no notes; complaints remain"
    )


def add_loudness(command: argparse.ArgumentParser) -> None:
    """Let a command be asked to say less, or more."""
    loudness = command.add_mutually_exclusive_group()
    add_quiet(loudness)
    loudness.add_argument(
        "-v", "--verbose", action="store_true", help="log each request and answer, without secrets"
    )


def progress(options: argparse.Namespace) -> bool | None:
    """Say whether to show a bar, which would disturb a log; None leaves it to the terminal."""
    return False if options.quiet or options.verbose else None


def lines_of_standard_input(what: str) -> list[str]:
    """Read standard input, without blank lines and the blanks around others.

    `what` says, in a complaint, what it should name.
    """
    if sys.stdin is None:
        raise CommandError("standard input is closed")
    try:
        text = sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"standard input cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"standard input is not UTF-8 text: {error}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise CommandError(f"standard input is empty: it should name {what}")
    return lines


class Whole:
    """A whole number within bounds."""

    def __init__(self, least: int, most: float = math.inf) -> None:
        self._least, self._most = least, most
        # argparse names it in its messages.
        self.__name__ = f"whole number from {least:,}{f' to {most:,}' if most < math.inf else ''}"

    def __call__(self, text: str) -> int:
        """Read it; a ValueError makes argparse complain."""
        number = int(text)
        if not self._least <= number <= self._most:
            raise ValueError
        return number


def seconds(text: str) -> float:
    """Read how many seconds something takes."""
    number = float(text)
    if not 0.0 <= number <= _SLOWEST:
        raise ValueError
    return number


seconds.__name__ = "number of seconds from 0 to 3,600"


def age(text: str) -> timedelta:
    """Read a length of time.

    Examples
    --------
    >>> age("4w")
    datetime.timedelta(days=28)
    """
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


age.__name__ = "length of time (such as 90d, 12h or 4w)"


def say(data: object) -> None:
    """Write a page of data to standard output."""
    with _complaining():
        print(data, flush=True)


def pour(file: BinaryIO) -> None:
    """Write the whole of a file to standard output."""
    with _complaining():
        shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


@contextmanager
def _complaining() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandError(f"standard output cannot be written: {error.strerror}") from error


def note(what: object, *, quiet: bool) -> None:
    """Say what came of it, unless told to be quiet."""
    if not quiet:
        print(what, file=sys.stderr)


def complain(what: object, code: int) -> int:
    """Say what went wrong, and hand on the exit code."""
    print(f"callkit: {what}", file=sys.stderr)
    return code


def calls_counted(count: int) -> str:
    """Say how many calls there are."""
    return f"{count:,} call{'' if count == 1 else 's'}"
