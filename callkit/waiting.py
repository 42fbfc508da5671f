"""Rows that wait for their turn: in memory, and beyond what fits there in a temporary file."""

import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import numpy as np
import pyarrow as pa

from callkit.forks import written_here_alone
from callkit.normaliser.casts import with_categories
from callkit.schema import SCHEMA

_log = logging.getLogger(__name__)

Places: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_AT_ONCE = 4_000  # rows handed over
_KEY = np.dtype([("start_time", "i8"), ("sid", ">u8", 2), ("date_updated", "i8")])
# Each table in a file would need its own dictionaries, so categories are written as text.
_AS_TEXT = pa.schema(
    [
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in SCHEMA
    ]
)
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")  # beyond, time costs more than space
# Rows of a list that are written together. A chunk needs a few of each such table: the larger it
# is, the more is decompressed for them; the smaller, the worse it compresses.
_TOGETHER = 512
_NONE_FILED = np.empty((0, 2), np.int64)


class _TemporaryFile:
    """Tables in a file that begins with the first of them; each can be read at any time.

    The file has no name where the system allows it, so that nothing is left of it if the process
    is killed.
    """

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._starts: list[int] = []

    def __len__(self) -> int:
        return len(self._starts)

    def append(self, calls: pa.Table) -> None:
        if self._file is None:
            file = tempfile.TemporaryFile(prefix="callkit-")  # noqa: SIM115  (until close)
            self._file = written_here_alone(file)
        self._starts.append(self._file.seek(0, os.SEEK_END))
        with pa.ipc.new_stream(self._file, _AS_TEXT, options=_COMPRESSED) as stream:
            stream.write_table(calls.cast(_AS_TEXT).combine_chunks())

    def read(self, number: int) -> pa.Table:
        """Read the table that was appended as the `number`-th, its categories as text."""
        assert self._file is not None  # noqa: S101  (there is a table)
        self._file.seek(self._starts[number])
        return pa.ipc.open_stream(self._file).read_all()

    def close(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # of a full disk: what is still to be written is not needed
                self._file.close()
        self._file, self._starts = None, []


@dataclass
class Memory:
    """How many rows, of some kilobyte each, still fit; the days of a run share it."""

    room: int = 8_000


def by_start(keys: Places) -> Places:
    """Return the places of the calls by start and SID, of each call the newest record's."""
    newest, _ = _newest(keys)
    high, low = keys["sid"][newest].T
    places: Places = newest[np.lexsort((low, high, keys["start_time"][newest]))]
    return places


def by_first_mention(keys: Places) -> Places:
    """Return the places of the calls by first mention, of each call the newest record's."""
    newest, first = _newest(keys)
    places: Places = newest[np.argsort(first)]
    return places


def _newest(keys: Places) -> tuple[Places, Places]:
    """Return of each call the place of its newest record, and of its first.

    Of records that were updated at the same time, the one that arrived last is the newest.
    """
    high, low = keys["sid"].T
    newest_last = np.lexsort((keys["date_updated"], low, high))  # which is stable
    same = (np.diff(high[newest_last]) == 0) & (np.diff(low[newest_last]) == 0)
    starts = np.flatnonzero(np.append([True], ~same))
    return newest_last[np.append(~same, [True])], np.minimum.reduceat(newest_last, starts)


class WaitingRows:
    """Calls that arrive in any order and leave in another, each once: those of a day by start.

    Only their keys, 32 bytes a call, are always in memory.
    """

    def __init__(self, memory: Memory, order: Callable[[Places], Places] = by_start) -> None:
        self._memory = memory
        self._order = order
        self._tables: list[pa.Table] = []  # those in memory; tables in the file come after these
        self._file = _TemporaryFile()
        self._keys: list[Places] = []
        self._read: dict[int, pa.Table] = {}  # the table that was read last, by its number

    def add(self, calls: pa.Table) -> None:
        if not len(calls):
            return
        self._keys.append(_key(calls))
        if len(self._file) or len(calls) > self._memory.room:
            self._file.append(calls)
        else:
            self._memory.room -= len(calls)
            self._tables.append(calls)

    @property
    def count(self) -> int:
        """How many rows there are, repeated ones included."""
        return sum(map(len, self._keys))

    def among(self, sids: Sequence[str]) -> set[str]:
        """Return those of these calls that are here."""
        if not (self._keys and sids):
            return set()
        here = np.concatenate([keys["sid"] for keys in self._keys])
        asked = _numbers_of(sids)
        near = here[np.isin(here[:, 0], asked[:, 0])]
        held = set(map(tuple, near.tolist()))
        return {sid for sid, key in zip(sids, asked.tolist(), strict=True) if tuple(key) in held}

    def in_order(self) -> Iterator[pa.Table]:
        """Give the calls, some thousand at a time; of a SID that is there twice, the newest."""
        if not self._keys:
            return
        bounds = np.cumsum([0, *map(len, self._keys)])
        self._keys = [np.concatenate(self._keys)]  # of millions, two copies take much memory
        places = self._order(self._keys[0])
        for start in range(0, len(places), _AT_ONCE):
            yield self._at(places[start : start + _AT_ONCE], bounds)

    def close(self) -> None:
        self._memory.room += sum(map(len, self._tables))
        self._tables, self._keys, self._read = [], [], {}
        self._file.close()

    def _at(self, places: Places, bounds: Places) -> pa.Table:
        """Return the rows at `places`; tables begin at `bounds`."""
        tables = np.searchsorted(bounds, places, side="right") - 1
        parts, order = [], []
        for number in np.unique(tables).tolist():
            there = np.flatnonzero(tables == number)
            parts.append(_taken(self._table(number), places[there] - bounds[number]))
            order.append(there)
        return with_categories(_taken(pa.concat_tables(parts), np.argsort(np.concatenate(order))))

    def _table(self, number: int) -> pa.Table:
        if number < len(self._tables):
            return self._tables[number].cast(_AS_TEXT)
        if number not in self._read:  # the next rows in order need it again
            self._read = {number: self._file.read(number - len(self._tables))}
        return self._read[number]


def _taken(table: pa.Table, rows: Places) -> pa.Table:
    """Take rows of a table, without a copy where they follow one another."""
    if (np.diff(rows) == 1).all():
        return table.slice(rows[0], len(rows))
    return table.take(rows)


_Part: TypeAlias = tuple[Places, pa.Table]  # calls, and before them their places
_NOTHING: _Part = (np.empty(0, np.int64), _AS_TEXT.empty_table())


class RowsByPlace:
    """The calls of a SID list, which arrive in any order and leave in that of the list.

    Once more than `room` rows are in memory, all of these go to a file, and 16 bytes of each stay.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._tables: list[pa.Table] = []  # those in memory, categories as text
        self._places: list[Places] = []  # of their rows
        self._filed = _NONE_FILED  # places of the others, and where they are in the file
        self._file = _TemporaryFile()
        self._in_memory = 0

    def add(self, calls: pa.Table, places: Places) -> None:
        """Add calls and their places in the list, which are from 0 on and occur once each."""
        self._tables.append(calls.cast(_AS_TEXT))
        self._places.append(places)
        self._in_memory += len(calls)
        if self._in_memory > self._room:
            self._write()

    def take(self, first: int, last: int) -> pa.Table:
        """Remove the calls from place `first` up to, and without, `last`, and return them."""
        parts = [self._from_memory(first, last), *self._from_file(first, last)]
        order = np.argsort(np.concatenate([places for places, _ in parts]))
        calls = pa.concat_tables([calls for _, calls in parts]).combine_chunks()
        return with_categories(calls.take(order))

    def close(self) -> None:
        self._tables, self._places, self._in_memory = [], [], 0
        self._filed = _NONE_FILED
        self._file.close()

    def _write(self) -> None:
        """Move what is in memory to the file, in order, so that calls of a chunk are together."""
        places, calls = np.concatenate(self._places), pa.concat_tables(self._tables)
        order = np.argsort(places)
        where = len(self._file) * _TOGETHER + np.arange(len(order))
        calls = calls.combine_chunks().take(order)
        try:
            for start in range(0, len(calls), _TOGETHER):
                self._file.append(calls.slice(start, _TOGETHER))
        except OSError as error:  # no call is lost for it
            self._room = sys.maxsize
            _log.warning(
                "Calls that wait for their turn stay in memory, since no temporary file can be "
                "written (%s): TMPDIR can name a folder with more room",
                error.strerror or error,
            )
            return
        self._filed = np.concatenate([self._filed, np.column_stack([places[order], where])])
        self._tables, self._places, self._in_memory = [], [], 0

    def _from_memory(self, first: int, last: int) -> _Part:
        if not self._tables:
            return _NOTHING
        places, calls = np.concatenate(self._places), pa.concat_tables(self._tables)
        leaving = (first <= places) & (places < last)
        self._tables, self._places = [calls.filter(pa.array(~leaving))], [places[~leaving]]
        self._in_memory = len(self._places[0])
        return places[leaving], calls.filter(pa.array(leaving))

    def _from_file(self, first: int, last: int) -> Iterator[_Part]:
        leaving = (first <= self._filed[:, 0]) & (self._filed[:, 0] < last)
        places, where = self._filed[leaving].T
        self._filed = self._filed[~leaving]
        for number in np.unique(where // _TOGETHER).tolist():
            there = where // _TOGETHER == number
            yield places[there], self._file.read(number).take(where[there] % _TOGETHER)


def _key(calls: pa.Table) -> Places:
    """Return of each call its start, its SID in two numbers, and when it was updated."""
    keys = np.empty(len(calls), _KEY)
    keys["sid"] = _numbers_of(calls["sid"].to_pylist())
    for name in ("start_time", "date_updated"):
        keys[name] = calls[name].to_numpy().view(np.int64)
    return keys


def _numbers_of(sids: Sequence[str]) -> Places:
    digits = "".join(sid[2:] for sid in sids)
    return np.frombuffer(bytes.fromhex(digits), ">u8").reshape(-1, 2)
