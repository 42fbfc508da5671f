"""The calls of a list that are under way, cut into chunks and put in order again."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from callkit.outcomes import Failure, PriceChange
from callkit.sids import CallKey

Remark: TypeAlias = Failure | PriceChange

_AHEAD = 2  # chunks: the next one starts while the last calls of the one before are under way


@dataclass(slots=True)
class _Chunk:
    """Consecutive calls of a list."""

    pending: int = 0
    tables: list[pa.Table] = field(default_factory=list)
    places: list[int] = field(default_factory=list)  # in the list, of their rows
    remarks: list[tuple[int, Remark]] = field(default_factory=list)


class Chunks:
    """The calls that are under way, in chunks that are handed over one after the other.

    Parameters
    ----------
    size : int
        How many calls make a chunk.

    Attributes
    ----------
    pending : dict of str to int
        The calls that have neither arrived nor failed, and their places in the list.
    """

    def __init__(self, size: int = 16_000) -> None:
        self._size = size
        self.pending: dict[str, int] = {}
        self._chunks: deque[_Chunk] = deque()
        self._read = 0
        self._handed_over = 0

    @property
    def room(self) -> int:
        """How many more calls may be read."""
        return self._size * (self._handed_over + _AHEAD) - self._read

    def expect(self, keys: Sequence[CallKey]) -> None:
        """Take in calls, in the order of the list."""
        for place, key in enumerate(keys, start=self._read):
            self.pending[key.sid] = place
            if place % self._size == 0:
                self._chunks.append(_Chunk())
            self._chunks[-1].pending += 1
        self._read += len(keys)

    def add(self, table: pa.Table) -> None:
        """Put calls that have arrived into their chunks."""
        places = np.array([self.pending.pop(sid) for sid in table["sid"].to_pylist()], np.int64)
        for number in np.unique(places // self._size).tolist():
            rows = places // self._size == number
            chunk = self._chunks[number - self._handed_over]
            chunk.tables.append(table if rows.all() else table.filter(pa.array(rows)))
            chunk.places += places[rows].tolist()
            chunk.pending -= int(rows.sum())

    def fail(self, failure: Failure) -> None:
        """Add a call that could not be fetched."""
        self.remark(failure).pending -= 1
        del self.pending[str(failure.sid)]

    def remark(self, remark: Remark) -> _Chunk:
        """Add a remark about a pending call, and return its chunk."""
        place = self.pending[str(remark.sid)]
        chunk = self._chunks[place // self._size - self._handed_over]
        chunk.remarks.append((place, remark))
        return chunk

    def finished(self, *, rest: bool) -> list[tuple[pa.Table | None, list[Remark]]]:
        """Hand over the chunks that are complete; with `rest` all others too, as they are.

        Returns
        -------
        list of tuple
            Of each chunk the calls that have arrived, if any, and what is to be said of its calls,
            both in the order of the list.
        """
        done = []
        while self._chunks:
            full = self._read >= self._size * (self._handed_over + 1)
            if not (rest or (full and not self._chunks[0].pending)):
                break
            self._handed_over += 1
            chunk = self._chunks.popleft()
            remarks = sorted(chunk.remarks, key=lambda each: each[0])
            done.append((_in_order(chunk), [remark for _, remark in remarks]))
        return done


def _in_order(chunk: _Chunk) -> pa.Table | None:
    if not chunk.tables:
        return None
    table = pa.concat_tables(chunk.tables).unify_dictionaries()
    order = np.argsort(np.array(chunk.places))
    if (order[1:] > order[:-1]).all():
        return table
    return table.combine_chunks().take(pa.array(order))
