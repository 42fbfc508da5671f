"""The lines of a file that may be compressed, damaged or of another kind.

The content decides, not the name: browsers decompress a file and keep its ``.gz``, or compress it
once more.
"""

import zlib
from collections.abc import Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import IO

_AT_ONCE = 1 << 12  # bytes of input: damage costs the records of one such piece, no more
_LINES_AT_ONCE = 8_000
_BYTES_AT_ONCE = 1 << 23
_LONGEST = 1 << 24  # bytes of a line: no call is as large
_GZIP = 31  # https://zlib.net/manual.html: 16 + the largest window
_MAGIC = b"\x1f\x8b"
_TIMES_COMPRESSED = 2  # at most: there are files that decompress to themselves
_OTHER_KINDS = (
    (b"[", "it is a JSON array: expected one JSON object per line"),
    (b"PK\x03\x04", "it is a ZIP archive: extract the files first"),
    (b"PAR1", "it is a Parquet file: callkit.read_parquet reads those"),
    (b"\xff\xfe", "it is UTF-16 text: expected UTF-8"),
    (b"\xfe\xff", "it is UTF-16 text: expected UTF-8"),
)


class DamagedFileError(Exception):
    """A file cannot be read from ``line`` on, or at all if that is None."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def lines_of(file: IO[bytes], name: str) -> Iterator[tuple[int, list[bytes]]]:
    """Yield lines, some thousand at a time, and the number of the first, which counts from 1.

    A DamagedFileError follows those that precede the damage.
    """
    number, size = 1, 0
    lines: list[bytes] = []
    try:
        for some in _split(_checked(_plain(_blocks(file), name))):
            lines += some
            size += sum(map(len, some))
            if len(lines) >= _LINES_AT_ONCE or size >= _BYTES_AT_ONCE:
                yield number, lines
                number, size, lines = number + len(lines), 0, []
    except DamagedFileError as error:
        yield number, lines
        line = number + len(lines)
        raise DamagedFileError(str(error), line if line > 1 else None) from None
    yield number, lines


def _split(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Give the lines that each block completes; at the end the last, which may be empty."""
    pieces: list[bytes] = []  # of the line that is not complete
    size = 0
    for block in blocks:
        first, *others = block.split(b"\n")
        pieces.append(first)
        size += len(first)
        if others:
            yield [b"".join(pieces), *others[:-1]]
            pieces, size = others[-1:], len(others[-1])
        if size > _LONGEST:
            raise DamagedFileError("the line is too long to be a call")
    yield [b"".join(pieces)]


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from iter(partial(file.read, _AT_ONCE), b"")
    except OSError as error:
        raise DamagedFileError(f"the file cannot be read: {error.strerror}") from None


def _plain(blocks: Iterator[bytes], name: str, times: int = _TIMES_COMPRESSED) -> Iterator[bytes]:
    """Decompress what is compressed, even twice."""
    first = next(blocks, b"")
    blocks = chain([first], blocks)
    if times and first.startswith(_MAGIC):
        blocks = _plain(_decompressed(blocks), name, times - 1)
    elif not first and times == _TIMES_COMPRESSED and Path(name).suffix.lower() == ".gz":
        raise DamagedFileError("it is empty, and a gzip file never is: download it again")
    yield from blocks


def _checked(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Refuse files of another kind."""
    first = next(blocks, b"")
    begins = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    for magic, what in _OTHER_KINDS:
        if begins.startswith(magic):
            raise DamagedFileError(what)
    yield first
    yield from blocks


def _decompressed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress gzip, of several members too (RFC 1952), with zeros at the end or without."""
    member = zlib.decompressobj(_GZIP)
    for block in blocks:
        piece = block
        while piece:
            if member.eof:
                piece = piece.lstrip(b"\0")
                if not piece:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                found = member.decompress(piece)
            except zlib.error as error:
                raise DamagedFileError(
                    f"the compressed data is damaged ({error}); records before it may be wrong "
                    "too: download the file again"
                ) from None
            if found:
                yield found
            piece = member.unused_data
    if not member.eof:
        raise DamagedFileError("the compressed data ends too early: download the file again")
