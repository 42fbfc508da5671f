"""Rows that wait for their turn: in memory, and beyond what fits there in a temporary file."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from callkit.forks import written_here_alone
from callkit.normaliser.casts import with_categories
from callkit.schema import SCHEMA

Places: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_AT_ONCE = 4_000  # rows handed over
# A row is some kilobyte. One that is larger than this counts as several, wherever rows are counted
# for the memory that they take.
_ROW = 2_048  # bytes
_MOST = np.iinfo(np.uint16).max  # rows that one counts as: no page is as large
_KEY = np.dtype([("start_time", "i8"), ("sid", ">u8", 2), ("date_updated", "i8")])
# Each table in a file would need its own dictionaries, so categories are written as text.
AS_TEXT = pa.schema(
    [
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in SCHEMA
    ]
)
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="lz4")  # beyond, time costs more than space


def weights(calls: pa.Table) -> Places:
    """Return how many rows each counts as: more than one if it is large."""
    if calls.nbytes <= _ROW * len(calls):
        return np.ones(len(calls), np.int64)
    size = np.zeros(len(calls), np.int64)
    for field in AS_TEXT:
        if pa.types.is_string(field.type):
            lengths = pc.binary_length(calls[field.name].cast(field.type))
            size += pc.fill_null(lengths, 0).to_numpy()
    return np.maximum(1, size // _ROW)


def parts(weight: Places, most: int) -> Iterator[slice]:
    """Divide rows into parts that count as no more than `most`, but have a row at least."""
    ends = np.cumsum(weight)
    start = before = 0
    while start < len(ends):
        end = max(start + 1, int(np.searchsorted(ends, before + most, side="right")))
        yield slice(start, end)
        start, before = end, int(ends[end - 1])


class TemporaryTables:
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
        with pa.ipc.new_stream(self._file, AS_TEXT, options=_COMPRESSED) as stream:
            stream.write_table(calls.cast(AS_TEXT).combine_chunks())

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
    """How many rows, of some kilobyte each, still fit; the days of a run share it.

    Beyond these, some days have a file each, which goes with them. The others share one, since a
    range of years must not take a file descriptor for every day.
    """

    room: int = 8_000
    own_files: int = 8

    def __post_init__(self) -> None:
        self._shared = TemporaryTables()
        self._sharing = 0

    def take_file(self) -> TemporaryTables:
        if self.own_files:
            self.own_files -= 1
            return TemporaryTables()
        self._sharing += 1
        return self._shared

    def give_back(self, file: TemporaryTables) -> None:
        if file is not self._shared:
            self.own_files += 1
            file.close()
            return
        self._sharing -= 1
        if not self._sharing:
            file.close()


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

    Only their keys, some 34 bytes a call, are always in memory.
    """

    def __init__(self, memory: Memory, order: Callable[[Places], Places] = by_start) -> None:
        self._memory = memory
        self._order = order
        self._tables: list[pa.Table] = []  # those in memory; tables in the file come after these
        self._file: TemporaryTables | None = None
        self._numbers: list[int] = []  # of these tables in the file
        self._keys: list[Places] = []
        self._weights: list[Places] = []
        self._room_taken = 0
        self._read: dict[int, pa.Table] = {}  # the table that was read last, by its number

    def add(self, calls: pa.Table) -> None:
        if not len(calls):
            return
        self._keys.append(_key(calls))
        weight = weights(calls)
        self._weights.append(np.minimum(weight, _MOST).astype(np.uint16))
        if self._numbers or weight.sum() > self._memory.room:
            self._write(calls)
        else:
            self._memory.room -= int(weight.sum())
            self._room_taken += int(weight.sum())
            self._tables.append(calls)

    def _write(self, calls: pa.Table) -> None:
        if self._file is None:
            self._file = self._memory.take_file()
        self._numbers.append(len(self._file))
        self._file.append(calls)

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
        for part in parts(np.concatenate(self._weights)[places], _AT_ONCE):
            yield self._at(places[part], bounds)

    def close(self) -> None:
        self._memory.room += self._room_taken
        self._room_taken = 0
        self._tables, self._keys, self._weights, self._read = [], [], [], {}
        if self._file is not None:
            self._memory.give_back(self._file)
        self._file, self._numbers = None, []

    def _at(self, places: Places, bounds: Places) -> pa.Table:
        """Return the rows at `places`; tables begin at `bounds`."""
        tables = np.searchsorted(bounds, places, side="right") - 1
        taken, order = [], []
        for number in np.unique(tables).tolist():
            there = np.flatnonzero(tables == number)
            taken.append(_taken(self._table(number), places[there] - bounds[number]))
            order.append(there)
        return with_categories(_taken(pa.concat_tables(taken), np.argsort(np.concatenate(order))))

    def _table(self, number: int) -> pa.Table:
        if number < len(self._tables):
            return self._tables[number].cast(AS_TEXT)
        if number not in self._read:  # the next rows in order need it again
            assert self._file is not None  # noqa: S101  (it has that table)
            where = self._numbers[number - len(self._tables)]
            self._read = {number: self._file.read(where)}
        return self._read[number]


def _taken(table: pa.Table, rows: Places) -> pa.Table:
    """Take rows of a table, without a copy where they follow one another."""
    if (np.diff(rows) == 1).all():
        return table.slice(rows[0], len(rows))
    return table.take(rows)


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
