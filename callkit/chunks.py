"""A SID list read as far ahead as is wanted, and its calls put in order again."""

from __future__ import annotations

import time
from collections import deque
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa

from callkit.errors import InvalidSidError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from callkit.interrupts import Interrupts
    from callkit.outcomes import Failure, PriceChange
    from callkit.sids import CallKey

    Remark: TypeAlias = Failure | PriceChange

__all__ = ["Chunk", "Chunks", "SidList"]

_CHUNK = 16_000  # calls
_CHUNKS_AHEAD = 2  # the next one starts while the last calls of the one before are under way
_READ_AT_ONCE = 4_000  # calls
_READ_FOR = 0.5  # seconds, from a list that is slow


class SidList:
    """Reads a SID list, without ever waiting for it while calls it has named could be fetched.

    Attributes
    ----------
    total : int or None
        How many calls there are, where that is known.
    exhausted : bool
        Whether it has been read to its end, or to the first entry that is not a SID.
    error : InvalidSidError or None
        What is wrong with that entry: calls before it are fetched all the same.
    """

    def __init__(self, keys: list[CallKey] | Iterator[CallKey]) -> None:
        self.total = len(keys) if isinstance(keys, list) else None
        self.exhausted = self.total == 0
        self.error: InvalidSidError | None = None
        self._keys = iter(keys)
        self._unwatched = _READ_AT_ONCE if isinstance(keys, list) else 1

    def read(
        self, most: int, is_hungry: Callable[[], bool], interrupts: Interrupts
    ) -> list[CallKey]:
        """Read up to `most` calls; of a generator fewer, where there is nothing else to fetch.

        An interrupt is raised within the generator, so that it ends what it is waiting for.
        """
        keys: list[CallKey] = []
        most = min(most, _READ_AT_ONCE)
        until = time.monotonic() + _READ_FOR
        interrupts.at_once = True
        try:
            for key in islice(self._keys, most):
                keys.append(key)
                if len(keys) >= self._unwatched and (is_hungry() or time.monotonic() > until):
                    break
            else:
                self.exhausted = len(keys) < most
        except InvalidSidError as error:
            self.error, self.exhausted = error, True
        except KeyboardInterrupt:
            if not interrupts.heard:  # somebody else's handler raised it
                raise
        finally:
            interrupts.at_once = False
        return keys

    def note_missing(self, missing: int) -> None:
        """Learn how many of the calls just read have to be fetched.

        Where a cache has them all, nothing waits for a generator: it is read more at a time.
        """
        if self.total is None:
            self._unwatched = 1 if missing else min(2 * self._unwatched, _READ_AT_ONCE)


class Chunk:
    """Some thousand calls that stand together in a list."""

    def __init__(self) -> None:
        self.unsettled = 0
        self._tables: list[pa.Table] = []
        self._places: list[int] = []
        self._remarks: list[tuple[int, Remark]] = []

    def add(self, table: pa.Table, places: Sequence[int]) -> None:
        """Take in calls that have arrived, and their places in the list."""
        self.unsettled -= len(places)
        self._tables.append(table)
        self._places += places

    def remark(self, place: int, remark: Remark) -> None:
        """Keep what is to be said of the call at a place of the list."""
        self._remarks.append((place, remark))

    def table(self) -> pa.Table | None:
        """Return the calls that have arrived, in the order of the list; None without any."""
        if not self._places:
            return None
        table = pa.concat_tables(self._tables).unify_dictionaries()
        order = np.argsort(np.array(self._places))
        in_order = bool((order[1:] > order[:-1]).all())
        return table if in_order else table.combine_chunks().take(pa.array(order))

    def remarks(self) -> list[Remark]:
        """Return what is to be said of its calls, in the order of the list."""
        return [remark for _, remark in sorted(self._remarks, key=lambda each: each[0])]


class Chunks:
    """The calls that are under way, in chunks that are handed over one after the other."""

    def __init__(self) -> None:
        self._chunks: deque[Chunk] = deque()
        self._places: dict[str, int] = {}  # of calls that are not settled yet
        self._read = 0
        self._handed_over = 0

    @property
    def room(self) -> int:
        """How many more calls may be read."""
        return _CHUNK * (self._handed_over + _CHUNKS_AHEAD) - self._read

    @property
    def all_settled(self) -> bool:
        """Whether no call is under way."""
        return not self._places

    def expect(self, keys: Sequence[CallKey]) -> None:
        """Take in calls, in the order of the list."""
        for place, key in enumerate(keys, start=self._read):
            self._places[key.sid] = place
            if place % _CHUNK == 0:
                self._chunks.append(Chunk())
            self._chunks[-1].unsettled += 1
        self._read += len(keys)

    def settle(self, table: pa.Table) -> None:
        """Put calls that have arrived into their chunks."""
        places = np.array([self._places.pop(sid) for sid in table["sid"].to_pylist()], np.int64)
        numbers = places // _CHUNK
        for number in np.unique(numbers).tolist():
            rows = numbers == number
            own = table if rows.all() else table.filter(pa.array(rows))
            self._chunks[number - self._handed_over].add(own, places[rows].tolist())

    def fail(self, failure: Failure) -> None:
        """Settle a call that will not arrive."""
        self.remark(failure).unsettled -= 1
        del self._places[str(failure.sid)]

    def remark(self, remark: Remark) -> Chunk:
        """Keep what is to be said of a call that is under way, with its chunk."""
        place = self._places[str(remark.sid)]
        chunk = self._chunks[place // _CHUNK - self._handed_over]
        chunk.remark(place, remark)
        return chunk

    def finished(self, *, rest: bool) -> Iterator[Chunk]:
        """Hand over the chunks that are complete; with `rest` all others too, as they are."""
        while self._chunks:
            full = self._read >= _CHUNK * (self._handed_over + 1)
            if not (rest or (full and not self._chunks[0].unsettled)):
                return
            self._handed_over += 1
            yield self._chunks.popleft()
