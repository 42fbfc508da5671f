"""What the commands share: arguments and input."""

import argparse
import math
import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias, TypeVar, cast

from callkit.cli.streams import CommandError, write_out
from callkit.paging import Pages
from callkit.printable import printable

if TYPE_CHECKING:
    from io import BufferedReader

    from _typeshed import SupportsWrite

_Number = TypeVar("_Number", int, float)

_AGE = re.compile(r"([1-9][0-9]{0,4})([hdw])")
_DAYS_BACK = re.compile(r"-[0-9]+[a-z]")
PAGES: dict[str, Pages] = {"auto": "auto", "always": True, "never": False}
_PIECE = 1 << 16  # bytes
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


class Parser(argparse.ArgumentParser):
    """A parser whose help and version are output, and whose errors are reports."""

    def error(self, message: str) -> NoReturn:
        super().error(printable(message))

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        if file is not None and file is sys.stderr:
            file.write(message)
        else:
            write_out(message)


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"  # noqa: SLF001


def add_calls(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add("calls", type=Path, metavar="CALLS", help="a Parquet file of calls, or a folder of them")
    add("--freq", default="W", help="length of a period: D, W, M, Q or Y (default: %(default)s)")
    add("--tz", default="UTC", help="time zone of the periods (default: %(default)s)")


def add_quiet(command: argparse._ActionsContainer) -> None:
    command.add_argument(
        "-q", "--quiet", action="store_true", help="no progress bar and no notes, only errors"
    )


def add_fetching(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--concurrency",
        type=number(1),
        default=25,
        help="highest number of requests in flight for each account (default: %(default)s)",
    )
    command.add_argument(
        "--pages",
        choices=PAGES,
        default="auto",
        help="take the calls of a SID list from pages of the list of calls: where that needs less "
        "time (auto), wherever it finds calls (always), or never (default: %(default)s)",
    )
    command.add_argument(
        "--date-column",
        metavar="NAME",
        help="the column of a SID list with the date or time (in UTC, unless it has an offset) at "
        "which each call started, which saves requests to find that out",
    )
    loudness = command.add_mutually_exclusive_group()
    add_quiet(loudness)
    loudness.add_argument(
        "-v", "--verbose", action="store_true", help="log each request and response (no secrets)"
    )


def days_back_joined(arguments: Sequence[str]) -> list[str]:
    """Write ``--started -3d`` as one word: argparse takes the second for an option."""
    joined: list[str] = []
    for word in arguments:
        if joined and joined[-1] == "--started" and _DAYS_BACK.fullmatch(word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def progress(options: argparse.Namespace) -> bool | None:
    """Return whether to show a bar, which would disturb a log; None lets the terminal decide."""
    return False if options.quiet or options.verbose else None


def lines_of_standard_input(what: str) -> list[str]:
    """Read the lines of standard input, stripped, without blank lines; `what` they should be."""
    if sys.stdin is None:
        raise CommandError("standard input is closed")
    try:
        text = _read_all(cast("BufferedReader", sys.stdin.buffer)).decode("utf-8-sig")
    except OSError as error:
        raise CommandError(f"cannot read standard input: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"standard input is not UTF-8 text: {error}") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise CommandError(f"standard input is empty: expected {what}")
    return lines


def _read_all(file: "BufferedReader") -> bytes:
    """Read a file piece by piece: in one reading, an interrupt could wait for the next piece."""
    pieces = []
    while piece := file.read1(_PIECE):
        pieces.append(piece)
    return b"".join(pieces)


def number(
    least: int,
    most: float = math.inf,
    *,
    read: Callable[[str], _Number] = int,
    what: str = "whole number",
) -> Callable[[str], _Number]:
    """Return a type of arguments, a number within bounds; argparse reports a ValueError."""

    def bounded(text: str) -> _Number:
        value = read(text)
        if not least <= value <= most:
            raise ValueError
        return value

    # argparse names it in its messages.
    bounded.__name__ = f"{what} from {least:,}{f' to {most:,}' if most < math.inf else ''}"
    return bounded


seconds = number(0, 3_600, read=float, what="number of seconds")


def age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise ValueError
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


age.__name__ = "age (such as 90d, 12h or 4w)"


def moment(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


moment.__name__ = "date or time (such as 2025-03-15 or 2025-03-15T12:30Z)"


def calls_counted(count: int) -> str:
    return f"{count:,} call{'' if count == 1 else 's'}"
