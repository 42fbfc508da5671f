"""Rows that wait for their turn: in memory, and beyond what fits there in a temporary file."""

import tempfile
from collections.abc import Iterator
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


class WaitingRows:
    """The calls of one day, which arrive in any order and leave by start and SID, each once.

    Only their keys, 32 bytes a call, are always in memory. The file has no name where the
    system allows it, so that nothing is left of it if the process is killed.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._tables: list[pa.Table] = []  # those in memory; batches in the file come after these
        self._file: IO[bytes] | None = None
        self._writer: pa.ipc.RecordBatchFileWriter | None = None
        self._keys: list[Places] = []

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

    def in_order(self) -> Iterator[pa.Table]:
        """Give the calls, some thousand at a time; of a SID that is there twice, the newest."""
        if not self._keys:
            return
        places = _sorted(np.concatenate(self._keys))
        bounds = np.cumsum([0, *map(len, self._keys)])
        reader = None
        if self._writer is not None:
            self._writer.close()
            reader = pa.ipc.open_file(self._file)
        for start in range(0, len(places), _AT_ONCE):
            yield self._at(places[start : start + _AT_ONCE], bounds, reader)

    def close(self) -> None:
        self._memory.room += sum(map(len, self._tables))
        self._tables, self._keys = [], []
        if self._file is not None:
            self._file.close()
        self._file = self._writer = None

    def _at(self, places: Places, bounds: Places, reader: Any) -> pa.Table:
        """Return the rows at `places`; batches begin at `bounds`."""
        batches = np.searchsorted(bounds, places, side="right") - 1
        parts, order = [], []
        for batch in np.unique(batches).tolist():
            there = np.flatnonzero(batches == batch)
            parts.append(self._batch(batch, reader).take(places[there] - bounds[batch]))
            order.append(there)
        return with_categories(pa.concat_tables(parts).take(np.argsort(np.concatenate(order))))

    def _batch(self, number: int, reader: Any) -> pa.Table:
        if number < len(self._tables):
            return self._tables[number].cast(_ON_DISK)
        return pa.Table.from_batches([reader.get_batch(number - len(self._tables))])


def _key(calls: pa.Table) -> Places:
    """Return of each call its start, its SID in two numbers, and when it was updated."""
    keys = np.empty(len(calls), _KEY)
    digits = "".join(sid[2:] for sid in calls["sid"].to_pylist())
    keys["sid"] = np.frombuffer(bytes.fromhex(digits), ">u8").reshape(-1, 2)
    for name in ("start_time", "date_updated"):
        keys[name] = calls[name].to_numpy().view(np.int64)
    return keys


def _sorted(keys: Places) -> Places:
    """Return the places of the calls in order of start and SID, of each call the newest record's.

    Of records that were updated at the same time, the one that arrived last is the newest.
    """
    high, low = keys["sid"].T
    newest_last = np.lexsort((keys["date_updated"], low, high))  # which is stable
    same = (np.diff(high[newest_last]) == 0) & (np.diff(low[newest_last]) == 0)
    places: Places = newest_last[np.append(~same, [True])]
    return places[np.lexsort((low[places], high[places], keys["start_time"][places]))]
