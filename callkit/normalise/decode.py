"""Bodies → rows of text: each body decoded alone, as fast as is safe.

The fast way reads a body into a struct. It refuses whatever is no JSON object, lacks one of the 26
attributes, has one that the struct does not know, or has a value that is not text. It cannot see
that a key stands twice, so that is disproved for many bodies at once, by counting. What is
refused, or not proven, is read once more with care, by :mod:`callkit.normalise.body`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from callkit.normalise.body import BodyError, Row, read_body, row_of
from callkit.schema import ATTRIBUTES, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Broken", "Decoded", "decode"]

_WIDTH = len(ATTRIBUTES)
_URIS = next(i for i, column in enumerate(ATTRIBUTES) if column.kind is Kind.JSON)
_NAMES = tuple(column.name for column in ATTRIBUTES)
_QUOTE, _COLON, _SPACE = b'": '
_LOT = 250
_LESSONS = 16
_EXTRAS = 16
_LEARNABLE = re.compile(r"[a-z0-9_]{1,64}", re.ASCII | re.IGNORECASE)


class Broken(NamedTuple):
    """A body that breaks the contract: where it stood, whose it is, and what is wrong with it."""

    place: int
    sid: str | None
    account_sid: str | None
    message: str


class Decoded(NamedTuple):
    """Rows, the place of the body that each was read from, and the bodies that gave none."""

    rows: list[Row]
    places: list[int]
    broken: list[Broken]


def decode(bodies: Sequence[object]) -> Iterator[Decoded]:
    """Decode bodies, none of which can touch its neighbours, a few at a time.

    A few, so that what one lot leaves behind in memory the next can use: fresh memory costs more
    than the decoding.
    """
    reader = _Reader()
    for first in range(0, len(bodies), _LOT):
        yield _decode_lot(bodies[first : first + _LOT], first, reader)


def _decode_lot(bodies: Sequence[object], first: int, reader: _Reader) -> Decoded:
    rows = _decode_fast(bodies, reader)
    broken = []
    if len(rows) < len(bodies):
        for place, body in enumerate(bodies):
            if place not in rows:
                try:
                    rows[place] = row_of(read_body(body))
                except BodyError as error:
                    broken.append(Broken(first + place, error.sid, error.account_sid, str(error)))
        rows = dict(sorted(rows.items()))
    return Decoded(list(rows.values()), [first + place for place in rows], broken)


def _decode_fast(bodies: Sequence[object], reader: _Reader) -> dict[int, Row]:
    """Rows by place, of the bodies that need no second look."""
    texts, places, calls = [], [], []
    for place, body in enumerate(bodies):
        text = body if isinstance(body, bytes) else _as_bytes(body)
        call = reader.read(text)
        if call is not None:
            texts.append(text)
            places.append(place)
            calls.append(call)
    if not calls:
        return {}
    distinct = np.fromiter(map(_count_keys, calls), np.intp, len(calls))
    proven = (_count_colons(texts) == distinct).tolist()
    return {
        place: call[:_WIDTH]
        for place, call, sure in zip(places, calls, proven, strict=True)
        if sure
    }


class _Reader:
    """Reads bodies into tuples, and learns which attributes beyond the 26 a batch has."""

    def __init__(self) -> None:
        self._extras: tuple[str, ...] = ()
        self._lessons = 0
        self._decode = _decoder(()).decode

    def read(self, text: bytes) -> tuple[Any, ...] | None:
        """Read one body; None if that takes a closer look."""
        try:
            return msgspec.structs.astuple(self._decode(text))
        except msgspec.ValidationError:
            if self._lessons < _LESSONS:
                self._lessons += 1
                self._learn(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        return None

    def _learn(self, text: bytes) -> None:
        known = {*_NAMES, *self._extras}
        try:
            attributes = read_body(text).items()
        except BodyError:
            return
        new = [
            name
            for name, value in attributes
            if name not in known and type(value) in {str, type(None)} and _LEARNABLE.fullmatch(name)
        ]
        self._extras = (*self._extras, *new)[:_EXTRAS]
        self._decode = _decoder(self._extras).decode


@lru_cache(maxsize=16)
def _decoder(extras: tuple[str, ...]) -> msgspec.json.Decoder[Any]:
    """Make a decoder of bodies that have the 26 attributes and may have `extras`, all text."""
    text = str | None
    fields: list[Any] = [
        (column.name, dict[str, text] | None if column.kind is Kind.JSON else text)
        for column in ATTRIBUTES
    ]
    names = {f"extra_{i}": name for i, name in enumerate(extras)}
    fields += [(field, text | UnsetType, UNSET) for field in names]
    call = msgspec.defstruct("Call", fields, rename=names, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(call)


def _as_bytes(body: object) -> bytes:
    """Give the bytes of a body that is JSON text, else such as no reader takes."""
    if isinstance(body, bytearray | memoryview):
        return bytes(body)
    return body.encode(errors="surrogatepass") if isinstance(body, str) else b""


def _count_keys(call: tuple[Any, ...]) -> int:
    """Count the distinct keys that the reader met: the attributes, and those of the URIs."""
    return len(call) - call[_WIDTH:].count(UNSET) + len(call[_URIS] or ())


def _count_colons(texts: list[bytes]) -> np.ndarray[Any, np.dtype[np.intp]]:
    """Count how often a quotation mark and a colon meet in each body; -1 where that proves nothing.

    Each key ends so, unless white space parts it from its colon, and what looks so inside a text
    only adds to the count. So no body has more keys than this, and one that has as many distinct
    keys has none twice.
    """
    octets = np.frombuffer(b"".join(texts), np.uint8)
    starts = np.concatenate(([0], np.cumsum([len(text) for text in texts])))
    colons = np.flatnonzero(octets == _COLON)
    before = octets[colons - 1]
    counts = np.diff(np.searchsorted(colons[before == _QUOTE], starts))
    parted = colons[before <= _SPACE]
    counts[np.searchsorted(starts, parted, side="right") - 1] = -1
    return counts
