"""A SID list being fetched and typed, batch by batch."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import callkit
from callkit.errors import InvalidSidError, RunStoppedError
from callkit.fetch import Client
from callkit.fetch.cache import Cache
from callkit.fetch.interrupts import deferred_interrupts
from callkit.fetch.through import fetch_through
from callkit.normalise import to_table
from callkit.outcomes import Failure, Fetched
from callkit.progress import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from datetime import datetime
    from os import PathLike

    import pyarrow as pa

    from callkit.fetch.cache import PriceChange, Refresh
    from callkit.fetch.pacing import Pace
    from callkit.outcomes import Outcome
    from callkit.progress import Count
    from callkit.sids import CallKey

__all__ = ["Gathering"]

_BATCH = 4_096


@dataclass
class Gathering:
    """A SID list being fetched and typed, in its order.

    Iterate over :meth:`tables`; afterwards, or whenever that ended, the rest says what happened.
    """

    keys: list[CallKey] | Iterator[CallKey]
    client: Client | None
    cache: str | PathLike[str] | None
    refresh: Refresh
    progress: bool | None
    calls: int = 0
    failures: list[Failure] = field(default_factory=list)
    price_changes: list[PriceChange] = field(default_factory=list)
    as_of_first: datetime | None = None
    as_of_last: datetime | None = None
    _pace: Pace | None = None

    def tables(self) -> Generator[pa.Table, None, None]:
        """Yield tables of :data:`callkit.SCHEMA`, some thousand calls each.

        Raises
        ------
        CacheError
            Before the first request.
        SignInError, WrongAccountError, RunStoppedError, KeyboardInterrupt
            After the last table, where the run ended early.
        InvalidSidError
            After the last table, where a generator yielded what is no SID.
        """
        keys = _UntilInvalid(self.keys)
        with ExitStack() as stack:
            cache = None
            if self.cache is not None:
                cache = stack.enter_context(Cache(self.cache))
                self.price_changes = cache.price_changes
            interrupted = stack.enter_context(deferred_interrupts())
            count = stack.enter_context(counting(self.total, self.progress, self._current_pace))
            outcomes = self._outcomes(keys, cache, count, interrupted)
            yield from self._typed(stack.enter_context(closing(outcomes)), interrupted)
        if keys.error is not None:
            raise keys.error

    @property
    def total(self) -> int | None:
        """How many calls there are, where that is known."""
        return len(self.keys) if isinstance(self.keys, list) else None

    def attributes(self) -> dict[str, Any]:
        """Return what `df.attrs` and a Parquet file say of the whole."""
        return {
            "callkit": {
                "version": callkit.__version__,
                "calls_asked": self.calls + len(self.failures),
                "calls_got": self.calls,
                "calls_failed": len(self.failures),
                "as_of_first": self.as_of_first and self.as_of_first.isoformat(),
                "as_of_last": self.as_of_last and self.as_of_last.isoformat(),
            }
        }

    def _outcomes(
        self,
        keys: Iterable[CallKey],
        cache: Cache | None,
        count: Count,
        interrupted: Callable[[], bool],
    ) -> Generator[Outcome, None, None]:
        def arrived(outcomes: list[Outcome]) -> None:
            if cache is not None:
                cache.keep(outcomes)
            count(outcomes)

        def fetch(missing: Iterator[CallKey]) -> Generator[Outcome, None, None]:
            client = self.client if self.client is not None else Client()
            self._pace = client.pace
            try:
                with closing(
                    client.run(missing, in_order=True, arrived=arrived, interrupted=interrupted)
                ) as outcomes:
                    yield from outcomes
            finally:
                if client is not self.client:
                    client.close()

        if cache is not None:
            yield from fetch_through(cache, keys, self.refresh, fetch, count)
        elif self.total != 0:
            yield from fetch(iter(keys))

    def _current_pace(self) -> Pace | None:
        return self._pace

    def _typed(
        self, outcomes: Iterator[Outcome], interrupted: Callable[[], bool]
    ) -> Iterator[pa.Table]:
        batch: list[Outcome] = []
        stop: RunStoppedError | KeyboardInterrupt | None = None
        try:
            for outcome in outcomes:
                batch.append(outcome)
                if len(batch) == _BATCH:
                    yield self._table(batch)
                    batch = []
        except (RunStoppedError, KeyboardInterrupt) as error:
            stop = error
        if stop is None and interrupted():  # as the last call arrived: what follows is not to run
            stop = KeyboardInterrupt()
        if batch:
            yield self._table(batch)
        if stop is not None:
            raise stop

    def _table(self, batch: list[Outcome]) -> pa.Table:
        fetched = {outcome.sid: outcome for outcome in batch if isinstance(outcome, Fetched)}
        bodies = [outcome.body for outcome in fetched.values()]
        table, broken = to_table(bodies, list(fetched))
        by_sid = {failure.sid: failure for failure in broken}
        for outcome in batch:
            if isinstance(outcome, Failure):
                self.failures.append(outcome)
            elif outcome.sid in by_sid:
                self.failures.append(_located(by_sid[outcome.sid], outcome))
        self.calls += table.num_rows
        times = [outcome.fetched_at for outcome in fetched.values()]
        if times:
            self.as_of_first = min(filter(None, [self.as_of_first, *times]))
            self.as_of_last = max(filter(None, [self.as_of_last, *times]))
        return table


class _UntilInvalid:
    """A generator's calls up to the first entry that is none, so that those before it are kept."""

    def __init__(self, keys: Iterable[CallKey]) -> None:
        self._keys = keys
        self.error: InvalidSidError | None = None

    def __iter__(self) -> Iterator[CallKey]:
        try:
            yield from self._keys
        except InvalidSidError as error:
            self.error = error


def _located(failure: Failure, fetched: Fetched) -> Failure:
    """Say of a body that breaks the contract how it was fetched."""
    return replace(
        failure,
        account_sid=fetched.account_sid,
        http_status=200,
        request_id=fetched.request_id,
        attempts=fetched.attempts,
    )
