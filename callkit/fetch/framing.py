"""Where a response ends: its head and its body on the wire, with every length bounded (RFC 9112).

The standard library reads lengths with ``int``, which accepts ``-1``, ``+5`` and ``1_000``, takes a
head that breaks off for a whole one, and skips no interim response but a 100.
"""

import http.client
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from io import BufferedReader
from typing import NamedTuple, TypeVar

from callkit.outcomes import Reason

_Body = TypeVar("_Body", bound=Sized)

CLOSED = (
    *(ConnectionResetError, ConnectionAbortedError, BrokenPipeError),
    *(ssl.SSLEOFError, ssl.SSLZeroReturnError),
)

NO_STATUS = "the response does not begin with an HTTP status"

_HEAD_AT_MOST = 1 << 17  # bytes, with the interim responses before it
_TRAILERS_AT_MOST = 1 << 16
_EXTENSIONS_AT_MOST = 1 << 16  # of all chunks
_LONGEST_LENGTH = 16 + 2  # bytes: 16 digits and the end of the line
_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9])[ \t]+([0-9]{3})([ \t].*)?\r?\n")
_CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,16})([ \t]*|[ \t]*;.*)\r\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_FOLD = re.compile(r"\r?\n[ \t]+")
_LINE_END, _BLANKS = b"\r\n", " \t\r\n"
_SWITCHING_PROTOCOLS = 101
_WITHOUT_BODY = {_SWITCHING_PROTOCOLS, 204, 304}
# RFC 9110: the request may be repeated, on another connection.
_LAST_ON_CONNECTION = {_SWITCHING_PROTOCOLS, 408, 421}


class UnusableResponseError(http.client.HTTPException):
    """A response that breaks off (``connection``), or that breaks HTTP (``bad_response``)."""

    def __init__(self, message: str, reason: Reason = "bad_response") -> None:
        super().__init__(message)
        self.reason: Reason = reason


class Head(NamedTuple):
    """The status and headers of a response; their names are spelled ``Like-This``."""

    minor_version: int
    status: int
    headers: Mapping[str, str]

    @property
    def is_interim(self) -> bool:
        """Whether another response follows (RFC 9110 §15.2)."""
        return self.status // 100 == 1 and self.status != _SWITCHING_PROTOCOLS

    @property
    def keeps_alive(self) -> bool:
        """Whether another request may be sent on this connection."""
        is_chunked = "Transfer-Encoding" in self.headers
        ends_by_itself = is_chunked != ("Content-Length" in self.headers)
        if not ends_by_itself and self.status not in _WITHOUT_BODY:
            return False
        options = self.headers.get("Connection", "").lower()
        wants_to = "close" not in options if self.minor_version else "keep-alive" in options
        return wants_to and self.status not in _LAST_ON_CONNECTION


class WireResponse(http.client.HTTPResponse):
    """A response on a connection of the standard library's, read by the rules of this module."""

    def begin(self) -> None:
        self.head = read_head(self.fp)
        self.will_close = not self.head.keeps_alive

    def body(self, at_most: int) -> bytes:
        body = read_body(self.fp, self.head, at_most)
        self.close()
        return body


def read_head(file: BufferedReader) -> Head:
    """Read the status and headers of a response, and skip the interim ones before it.

    An error that is one of `CLOSED` says that not a byte has arrived.
    """
    if not file.peek(1):
        raise http.client.RemoteDisconnected("closed without a response")
    room = _HEAD_AT_MOST
    with broken_off():
        while True:
            lines = _lines(file, room, "the headers are")
            head = _parsed(lines)
            if not head.is_interim:
                return head
            room -= sum(map(len, lines))


def read_body(file: BufferedReader, head: Head, at_most: int) -> bytes:
    """Read the body that follows `head`, unless it is longer than `at_most` bytes."""
    if head.status in _WITHOUT_BODY:
        return b""
    with broken_off():
        if "Transfer-Encoding" in head.headers:
            if head.headers["Transfer-Encoding"].lower() != "chunked":
                raise UnusableResponseError("Transfer-Encoding is not 'chunked'")
            return _chunked(file, at_most)
        length = _length(head)
        if length is None:
            return within(at_most, file.read(at_most + 1))
        if length > at_most:
            raise _too_long(at_most)
        return _exactly(file, length)


def within(at_most: int, body: _Body) -> _Body:
    """Return a body that is not too long."""
    if len(body) > at_most:
        raise _too_long(at_most)
    return body


def _too_long(at_most: int) -> UnusableResponseError:
    return UnusableResponseError(f"the body is longer than {at_most:,} bytes")


@contextmanager
def broken_off() -> Iterator[None]:
    """Say of a connection that is closed that bytes of the response had arrived."""
    try:
        yield
    except CLOSED as error:
        raise _ended_early() from error


def _ended_early() -> UnusableResponseError:
    return UnusableResponseError("the connection was closed within the response", "connection")


def _parsed(lines: list[bytes]) -> Head:
    found = _STATUS_LINE.fullmatch(lines[0])
    if found is None:
        raise UnusableResponseError(NO_STATUS)
    fields: list[tuple[str, str]] = []
    text = _FOLD.sub(" ", b"".join(lines[1:-1]).decode("iso-8859-1"))
    for line in text.split("\n")[:-1]:
        name, colon, value = line.partition(":")
        if not colon:
            raise UnusableResponseError("a line of the headers has no colon")
        fields.append((name, value))
    return Head(int(found[1]), int(found[2]), joined(fields))


def joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the values by name; those of one name are a list (RFC 9110 §5.3)."""
    headers: dict[str, str] = {}
    for name, value in fields:
        key, text = name.strip(_BLANKS).title(), value.strip(_BLANKS)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _length(head: Head) -> int | None:
    """Return what Content-Length says; it may say the same several times (RFC 9110 §8.6)."""
    if "Content-Length" not in head.headers:
        return None
    length, *others = {each.strip() for each in head.headers["Content-Length"].split(",")}
    if others or not _LENGTH.fullmatch(length):
        raise UnusableResponseError("Content-Length is not a number of bytes")
    return int(length)


def _chunked(file: BufferedReader, at_most: int) -> bytes:
    """Read a body in chunks, each after a line with its length (RFC 9112 §7.1)."""
    body = bytearray()
    room = _EXTENSIONS_AT_MOST
    while True:
        line = _line(file, _LONGEST_LENGTH + room, "the extensions of chunks are")
        found = _CHUNK_LINE.fullmatch(line)
        if found is None:
            raise UnusableResponseError("the length of a chunk is not a hexadecimal number")
        room -= len(found[2])
        length = int(found[1], 16)
        if not length:
            _skip_trailers(file)
            return bytes(body)
        if len(body) + length > at_most:
            raise _too_long(at_most)
        body += _exactly(file, length)
        if _exactly(file, 2) != _LINE_END:
            raise UnusableResponseError("a chunk is longer than its length")


def _skip_trailers(file: BufferedReader) -> None:
    """Read up to a blank line or the end: the body is complete without them (RFC 9112 §8)."""
    room = _TRAILERS_AT_MOST
    while (line := file.readline(room + 1)).strip(_LINE_END):
        room -= len(line)
        if room < 0:
            raise UnusableResponseError("the trailers are too long")


def _lines(file: BufferedReader, at_most: int, what: str) -> list[bytes]:
    """Read lines up to a blank one."""
    lines: list[bytes] = []
    while not lines or lines[-1].strip(_LINE_END):
        lines.append(_line(file, at_most, what))
        at_most -= len(lines[-1])
    return lines


def _line(file: BufferedReader, at_most: int, what: str) -> bytes:
    line = file.readline(at_most + 1)
    if len(line) > at_most:
        raise UnusableResponseError(f"{what} too long")
    if not line.endswith(b"\n"):
        raise _ended_early()
    return line


def _exactly(file: BufferedReader, length: int) -> bytes:
    found = file.read(length)
    if len(found) < length:
        raise _ended_early()
    return found
