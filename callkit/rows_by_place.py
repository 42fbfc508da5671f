"""The calls of a SID list that wait for their turn: in memory, and beyond in a temporary file."""

import logging
import sys
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from callkit.normaliser.casts import with_categories
from callkit.waiting import AS_TEXT, Places, TemporaryTables, parts, weights

_log = logging.getLogger(__name__)

# Rows that are written together. A chunk needs a few of each such table: the larger it is, the more
# is decompressed for them; the smaller, the worse it compresses.
_TOGETHER = 512
_AT_ONCE = 16_000  # rows handed over
_NONE = np.empty((0, 3), np.int64)


class RowsByPlace:
    """The calls of a SID list, which arrive in any order and leave in that of the list.

    Once more than `room` rows are in memory, all of these go to a file, and 24 bytes of each stay.
    A large row counts as several.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._tables: list[pa.Table] = []  # those in memory, categories as text
        # Of each row its place, where it is in the file (or in no file), and what it counts as.
        self._here = self._filed = _NONE
        self._file = TemporaryTables()
        self._begins: list[int] = []  # where in the file each of its tables begins
        self._rows_filed = 0

    def add(self, calls: pa.Table, places: Places) -> None:
        """Add calls and their places in the list, which are from 0 on and occur once each."""
        self._tables.append(calls.cast(AS_TEXT))
        rows = np.column_stack([places, np.full(len(places), -1), weights(self._tables[-1])])
        self._here = np.concatenate([self._here, rows])
        if self._here[:, 2].sum() > self._room:
            self._write()

    def take(self, first: int, last: int) -> Iterator[pa.Table]:
        """Remove the calls from place `first` up to, and without, `last`, and yield them.

        Usually they are one table; they are several if they would take much memory.
        """
        rows = np.concatenate([_between(each, first, last) for each in (self._here, self._filed)])
        rows = rows[np.argsort(rows[:, 0])]
        for part in parts(rows[:, 2], _AT_ONCE):
            here = rows[part]
            yield self._taken(here[0, 0], here[-1, 0] + 1)

    def close(self) -> None:
        self._tables, self._begins, self._rows_filed = [], [], 0
        self._here = self._filed = _NONE
        self._file.close()

    def _taken(self, first: int, last: int) -> pa.Table:
        found = [self._from_memory(first, last), *self._from_file(first, last)]
        order = np.argsort(np.concatenate([places for places, _ in found]))
        calls = pa.concat_tables([calls for _, calls in found]).combine_chunks()
        return with_categories(calls.take(order))

    def _write(self) -> None:
        """Move what is in memory to the file, in order, so that calls of a chunk are together."""
        order = np.argsort(self._here[:, 0])
        rows = self._here[order]
        rows[:, 1] = self._rows_filed + np.arange(len(rows))
        calls = pa.concat_tables(self._tables).combine_chunks()
        self._tables, begins = [calls], []
        try:
            for part in parts(rows[:, 2], _TOGETHER):
                self._file.append(calls.take(order[part]))
                begins.append(self._rows_filed + part.start)
        except OSError as error:  # no call is lost for it
            self._room = sys.maxsize
            _log.warning(
                "Calls that wait for their turn stay in memory, since no temporary file can be "
                "written (%s): TMPDIR can name a folder with more room",
                error.strerror or error,
            )
            return
        self._begins += begins
        self._rows_filed += len(rows)
        self._filed = np.concatenate([self._filed, rows])
        self._tables, self._here = [], _NONE

    def _from_memory(self, first: int, last: int) -> tuple[Places, pa.Table]:
        if not self._tables:
            return np.empty(0, np.int64), AS_TEXT.empty_table()
        places, calls = self._here[:, 0], pa.concat_tables(self._tables)
        leaving = (first <= places) & (places < last)
        self._tables, self._here = [calls.filter(pa.array(~leaving))], self._here[~leaving]
        return places[leaving], calls.filter(pa.array(leaving))

    def _from_file(self, first: int, last: int) -> Iterator[tuple[Places, pa.Table]]:
        leaving = _between(self._filed, first, last)
        staying = (self._filed[:, 0] < first) | (last <= self._filed[:, 0])
        self._filed = self._filed[staying]
        tables = np.searchsorted(self._begins, leaving[:, 1], side="right") - 1
        for number in np.unique(tables).tolist():
            there = leaving[tables == number]
            rows = there[:, 1] - self._begins[number]
            yield there[:, 0], self._file.read(number).take(rows)


def _between(rows: Places, first: int, last: int) -> Places:
    between: Places = rows[(first <= rows[:, 0]) & (rows[:, 0] < last)]
    return between
