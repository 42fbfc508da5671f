"""What a command says: data on standard output, everything else on standard error."""

from __future__ import annotations

import shutil
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from callkit.errors import CallkitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

__all__ = ["CommandError", "complain", "note", "pour", "say"]


class CommandError(CallkitError):
    """Something that the command line asked for cannot be done."""


def say(data: object) -> None:
    """Write a page of data to standard output.

    Raises
    ------
    CommandError
        It cannot be written, because the disk is full, say.
    BrokenPipeError
        Whoever read it has gone.
    """
    with _complaining():
        print(data, flush=True)


def pour(file: BinaryIO) -> None:
    """Write the whole of a file to standard output; raises as :func:`say` does."""
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
