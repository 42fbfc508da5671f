"""Rows that wait for their turn: in memory, and beyond what fits there in a temporary file."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, TypeAlias

import numpy as np
import pyarrow as pa

from callkit.normaliser.casts import with_categories
from callkit.schema import SCHEMA

Places: TypeAlias = np.ndarray[Any, np.dtype[Any]]

_AT_ONCE = 4_000  # rows handed over
_KEY = np.dtype([("start_time", "i8"), ("sid", ">u8", 2), ("date_updated", "i8")])
# A file of Arrow's has one dictionary for all batches, so categories are written as text.
_ON_DISK = pa.schema(
    [
        field.with_type(pa.string()) if pa.types.is_dictionary(field.type) else field
        for field in SCHEMA
    ]
)
_COMPRESSED = pa.ipc.IpcWriteOptions(compression="zstd")


@dataclass
class Memory:
    """How many rows, of some kilobyte each, still fit; the days of a run share it."""

    room: int = 8_000


def by_start(keys: Places) -> Places:
    """Return the places of the calls by start and SID, of each call the newest record's."""
    newest, _ = _newest(keys)
    low, high = keys["sid"][newest].T[::-1]
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

    Only their keys, 32 bytes a call, are always in memory. The file has no name where the
    system allows it, so that nothing is left of it if the process is killed.
    """

    def __init__(self, memory: Memory, order: Callable[[Places], Places] = by_start) -> None:
        self._memory = memory
        self._order = order
        self._tables: list[pa.Table] = []  # those in memory; batches in the file come after these
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._keys: list[Places] = []
        self._read: dict[int, pa.Table] = {}  # the batch that was read last, by its number

    def add(self, calls: pa.Table) -> None:
        if not len(calls):
            return
        self._keys.append(_key(calls))
        if self._writer is None and len(calls) <= self._memory.room:
            self._memory.room -= len(calls)
            self._tables.append(calls)
            return
        writer = self._writer
        if writer is None:
            self._file = tempfile.TemporaryFile(prefix="callkit-")  # noqa: SIM115  (until close)
            writer = pa.ipc.new_file(self._file, _ON_DISK, options=_COMPRESSED)
            self._writer = writer
        writer.write_batch(calls.cast(_ON_DISK).combine_chunks().to_batches()[0])

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
        places = self._order(np.concatenate(self._keys))
        bounds = np.cumsum([0, *map(len, self._keys)])
        reader = None
        if self._writer is not None:
            self._writer.close()
            reader = pa.ipc.open_file(self._file)
        for start in range(0, len(places), _AT_ONCE):
            yield self._at(places[start : start + _AT_ONCE], bounds, reader)

    def close(self) -> None:
        self._memory.room += sum(map(len, self._tables))
        self._tables, self._keys, self._read = [], [], {}
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None

    def _at(self, places: Places, bounds: Places, reader: Any) -> pa.Table:
        """Return the rows at `places`; batches begin at `bounds`."""
        batches = np.searchsorted(bounds, places, side="right") - 1
        parts, order = [], []
        for batch in np.unique(batches).tolist():
            there = np.flatnonzero(batches == batch)
            parts.append(_taken(self._batch(batch, reader), places[there] - bounds[batch]))
            order.append(there)
        return with_categories(_taken(pa.concat_tables(parts), np.argsort(np.concatenate(order))))

    def _batch(self, number: int, reader: Any) -> pa.Table:
        if number < len(self._tables):
            return self._tables[number].cast(_ON_DISK)
        if number not in self._read:  # where rows leave as they came, the next ones need it again
            batch = reader.get_batch(number - len(self._tables))
            self._read = {number: pa.Table.from_batches([batch])}
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
