"""The calls of a SID list that are under way, handed over in chunks, in the order of the list."""

import sys
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from callkit.outcomes import Failure, PriceChange
from callkit.rows_by_place import RowsByPlace
from callkit.sids import CallKey

Remark: TypeAlias = Failure | PriceChange

WHOLE_LIST = sys.maxsize  # chunks ahead
_IN_MEMORY = 2  # chunks: calls that are fetched one by one are never further ahead


@dataclass(slots=True)
class _Chunk:
    pending: int = 0
    remarks: list[tuple[int, Remark]] = field(default_factory=list)


@dataclass(repr=False)  # it would show personal data
class Chunks:
    """The calls that are under way, in chunks of `size` that are handed over one after the other.

    Up to `ahead` chunks are under way at once: the next one starts while the last calls of the one
    before are being fetched. With ``WHOLE_LIST`` calls may arrive in any order.

    ``pending`` are the calls that have neither arrived nor failed, with their places in the list;
    ``calls``, ``failures`` and ``price_changes`` those of the chunks handed over, in its order.
    """

    size: int = 16_000
    ahead: int = _IN_MEMORY
    pending: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    failures: list[Failure] = field(default_factory=list)
    price_changes: list[PriceChange] = field(default_factory=list)
    _chunks: deque[_Chunk] = field(default_factory=deque)
    _read: int = 0
    _handed_over: int = 0
    _rows: RowsByPlace = field(init=False)

    def __post_init__(self) -> None:
        self._rows = RowsByPlace(room=_IN_MEMORY * self.size)

    @property
    def room(self) -> int:
        return self.size * (self._handed_over + self.ahead) - self._read

    def expect(self, keys: Sequence[CallKey]) -> None:
        for place, key in enumerate(keys, start=self._read):
            self.pending[key.sid] = place
            if place % self.size == 0:
                self._chunks.append(_Chunk())
            self._chunks[-1].pending += 1
        self._read += len(keys)

    def add(self, table: pa.Table) -> None:
        places = np.array(list(map(self.pending.pop, table["sid"].to_pylist())), np.int64)
        self._rows.add(table, places)
        numbers, counts = np.unique(places // self.size, return_counts=True)
        for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            self._chunks[number - self._handed_over].pending -= count

    def fail(self, failure: Failure) -> None:
        self.remark(failure).pending -= 1
        del self.pending[str(failure.sid)]

    def remark(self, remark: Remark) -> _Chunk:
        """Add a remark about a pending call, and return its chunk."""
        place = self.pending[str(remark.sid)]
        chunk = self._chunks[place // self.size - self._handed_over]
        chunk.remarks.append((place, remark))
        return chunk

    def finished(self, *, rest: bool = False) -> Iterator[pa.Table]:
        """Hand over the chunks that are complete; with `rest` all others too, as they are."""
        while self._chunks:
            full = self._read >= self.size * (self._handed_over + 1)
            if not (rest or (full and not self._chunks[0].pending)):
                return
            chunk = self._chunks.popleft()
            first = self.size * self._handed_over
            self._handed_over += 1
            for _, remark in sorted(chunk.remarks, key=itemgetter(0)):
                if isinstance(remark, Failure):
                    self.failures.append(remark)
                else:
                    self.price_changes.append(remark)
            for calls in self._rows.take(first, first + self.size):
                self.calls += len(calls)
                yield calls

    def close(self) -> None:
        """Discard the calls that have not been handed over, and the file that they may be in."""
        self._rows.close()
