"""A bulk fetch by way of a cache: what is settled comes from the file, the rest over the wire."""

from __future__ import annotations

from collections import deque
from itertools import chain, islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from callkit.fetch.cache import Cache, Refresh
    from callkit.outcomes import Outcome
    from callkit.sids import CallKey

__all__ = ["fetch_through"]

_LOOKED_UP_AT_ONCE = 2_048
_READ_AT_ONCE = 256


def fetch_through(
    cache: Cache,
    keys: Iterable[CallKey],
    refresh: Refresh,
    fetch: Callable[[Iterator[CallKey]], Iterator[Outcome]],
    found: Callable[[list[Outcome]], None],
) -> Iterator[Outcome]:
    """Yield every call's outcome in the order of `keys`, asking only for what is not settled.

    Parameters
    ----------
    cache : Cache
        Where settled calls come from.
    keys : iterable of CallKey
        The calls.
    refresh : Refresh
        Which settled calls to ask for all the same.
    fetch : callable
        Fetches the rest, in order. Not called at all if there is none: then neither network nor
        credentials are needed.
    found : callable
        Is told what the cache had, when its turn has come.
    """
    plan = _Plan(cache, keys, refresh, found)
    unsettled = plan.unsettled()
    first = next(unsettled, None)
    if first is not None:
        for outcome in fetch(chain([first], unsettled)):
            yield from plan.settled_before(outcome.sid)
            yield outcome
    yield from plan.settled_before(None)


class _Plan:
    """Which calls come from where, in the order of the list; bodies are read when their turn is."""

    def __init__(
        self,
        cache: Cache,
        keys: Iterable[CallKey],
        refresh: Refresh,
        found: Callable[[list[Outcome]], None],
    ) -> None:
        self._cache = cache
        self._keys = iter(keys)
        self._refresh: Refresh = refresh
        self._found = found
        self._order: deque[tuple[str, bool]] = deque()

    def unsettled(self) -> Iterator[CallKey]:
        """Yield the calls to fetch; those passed over come from the cache."""
        while keys := list(islice(self._keys, _LOOKED_UP_AT_ONCE)):
            settled = self._cache.settled(keys, self._refresh)
            for key in keys:
                self._order.append((key.sid, key.sid in settled))
                if key.sid not in settled:
                    yield key

    def settled_before(self, sid: str | None) -> Iterator[Outcome]:
        """Yield what the cache has before a call that was fetched, or to the end of the list."""
        settled: list[str] = []
        while self._order and self._order[0][1]:
            settled.append(self._order.popleft()[0])
            if len(settled) == _READ_AT_ONCE:
                yield from self._read(settled)
                settled.clear()
        yield from self._read(settled)
        if sid is not None:
            self._order.popleft()

    def _read(self, sids: list[str]) -> list[Outcome]:
        outcomes = list(self._cache.read(sids))
        self._found(outcomes)
        return outcomes
