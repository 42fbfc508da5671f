"""The standard streams of a command: output, which must arrive, and reports, which may be lost.

Data goes to standard output, and a command fails if it cannot be written there. Everything else
goes to standard error, which may be closed, full or broken: no message decides an outcome.
"""

import errno
import os
import select
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from io import BytesIO
from pathlib import Path
from typing import IO, TextIO, cast

from callkit.errors import CallkitError
from callkit.printable import printable, printable_lines
from callkit.terminal import Reports

_PIECE = 4_096  # bytes: fits the buffer of a stream, so that no part of it is lost


class CommandError(CallkitError):
    """The command line asks for something that is not possible."""


@contextmanager
def standard_streams() -> Iterator[None]:
    """Let no report fail while a command runs, nor Python's own flush at exit (its code is 120)."""
    _occupy_closed_descriptors()
    with ExitStack() as stack:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stack.callback(_leave_flushed, stream)
        stack.enter_context(redirect_stderr(cast("TextIO", Reports(sys.stderr))))
        yield


def say(*data: object) -> None:
    """Print data to standard output, line by line."""
    write_out("".join(f"{printable_lines(str(each))}\n" for each in data))


def write_out(text: str) -> None:
    """Write text to standard output; characters that its encoding lacks become escapes."""
    with output_errors() as output:
        if not hasattr(output, "buffer"):  # a stream of Python's own, such as io.StringIO
            output.write(text)
            return
        data = text.replace("\n", os.linesep).encode(output.encoding, "backslashreplace")
        _copy(BytesIO(data), output)


def copy_out(file: IO[bytes]) -> None:
    """Copy a file to standard output, as it is."""
    with output_errors() as output:
        _copy(file, output)


def _copy(file: IO[bytes], output: TextIO) -> None:
    with _binary(output) as binary:
        while piece := file.read(_PIECE):
            _send(binary, piece)


@contextmanager
def _binary(output: TextIO) -> Iterator[IO[bytes]]:
    """Give a buffered stream: with PYTHONUNBUFFERED, part of a write would be lost in silence."""
    try:
        number = output.fileno()
    except OSError:  # of a stream of Python's own
        yield output.buffer
        return
    with open(number, "wb", closefd=False) as binary:
        yield binary


@contextmanager
def output_errors() -> Iterator[TextIO]:
    """Give standard output, and turn its errors into a CommandError.

    A reader that closes it, as ``head`` does, has all it wants: the rest is dropped.
    """
    output = check_output()
    try:
        yield output
    except (OSError, ValueError) as error:
        if not _says_that_the_reader_has_gone(error):
            why = getattr(error, "strerror", None) or error
            raise CommandError(f"cannot write to standard output: {why}") from error
        _silence(output)


def _says_that_the_reader_has_gone(error: Exception) -> bool:
    on_windows = os.name == "nt" and getattr(error, "errno", None) == errno.EINVAL
    return on_windows or isinstance(error, BrokenPipeError)


def check_output() -> TextIO:
    if sys.stdout is None or sys.stdout.closed:
        raise CommandError("standard output is closed")
    return sys.stdout


def note(what: object, *, quiet: bool = False) -> None:
    if not quiet:
        sys.stderr.write(f"{printable(str(what))}\n")


def complain(what: object, code: int) -> int:
    note(f"callkit: {what}")
    return code


def _send(stream: IO[bytes], piece: bytes) -> None:
    """Write and flush; a slow reader is waited for, even if another program set O_NONBLOCK."""
    stream.write(piece)
    while True:
        try:
            stream.flush()
        except BlockingIOError:
            select.select([], [stream], [])
        else:
            return


def _occupy_closed_descriptors() -> None:
    """Keep files of the run from becoming standard input, output or error of this process.

    Else a message of a library, or of the interpreter itself, would be written into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _leave_flushed(stream: TextIO) -> None:
    try:
        stream.flush()
    except (OSError, ValueError):
        _silence(stream)


def _silence(stream: TextIO) -> None:
    """Lead a stream nowhere, so that what is left in its buffer can be flushed."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as null:
        os.dup2(null.fileno(), stream.fileno())
