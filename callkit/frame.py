"""SID list in, typed DataFrame out: fetch, then normalise."""

from __future__ import annotations

import warnings
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

import callkit
from callkit.errors import (
    FetchError,
    IncompleteError,
    IncompleteWarning,
    InvalidSidError,
    RunStoppedError,
)
from callkit.fetch import Client
from callkit.normalise import table_to_frame, to_table
from callkit.outcomes import Failure, Fetched, failures_frame
from callkit.progress import watched
from callkit.schema import SCHEMA
from callkit.sids import read_sids

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from datetime import datetime

    import pandas as pd

    from callkit.errors import Frame
    from callkit.outcomes import Outcome
    from callkit.sids import CallKey, SidSource

__all__ = ["Collected", "Gathering", "collect", "to_frame"]

_BATCH = 4_096


@dataclass(frozen=True)
class Collected:
    """What came of a SID list: every call is in the one frame or in the other.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row per call that arrived, in the order of the list.
    failures : pandas.DataFrame
        One row per call that did not: ``sid``, ``account_sid``, ``reason`` (category),
        ``message``, ``status`` and ``code`` (Int64), ``request_id``, ``attempts`` (int64).
    """

    frame: pd.DataFrame
    failures: pd.DataFrame

    def __repr__(self) -> str:
        counts = describe_failures(self.failures["reason"].tolist())
        return f"Collected({len(self.frame):,} calls, {counts or 'no failures'})"


@dataclass
class Gathering:
    """A SID list being fetched and typed, batch by batch, in its order.

    Iterate over :meth:`tables`; afterwards, or whenever that ended, the rest says what happened.
    """

    keys: list[CallKey] | Iterator[CallKey]
    client: Client | None
    progress: bool | None
    calls: int = 0
    failures: list[Failure] = field(default_factory=list)
    as_of_first: datetime | None = None
    as_of_last: datetime | None = None

    def tables(self) -> Generator[pa.Table, None, None]:
        """Yield tables of :data:`callkit.SCHEMA`, some thousand calls each.

        Raises
        ------
        SignInError, WrongAccountError, RunStoppedError
            After the last table, where the run ended early.
        InvalidSidError
            After the last table, where a generator yielded what is no SID.
        """
        if isinstance(self.keys, list) and not self.keys:
            return
        client = self.client if self.client is not None else Client()
        keys = _UntilInvalid(self.keys)
        try:
            with closing(client.run(iter(keys), in_order=True)) as run:
                yield from self._typed(watched(run, self._total, self.progress))
        finally:
            if client is not self.client:
                client.close()
        if keys.error is not None:
            raise keys.error

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

    @property
    def _total(self) -> int | None:
        return len(self.keys) if isinstance(self.keys, list) else None

    def _typed(self, outcomes: Iterator[Outcome]) -> Iterator[pa.Table]:
        batch: list[Outcome] = []
        stop: RunStoppedError | None = None
        try:
            for outcome in outcomes:
                batch.append(outcome)
                if len(batch) == _BATCH:
                    yield self._table(batch)
                    batch = []
        except RunStoppedError as error:
            stop = error
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


def collect(
    sids: SidSource,
    *,
    client: Client | None = None,
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> Collected:
    """Fetch calls and type them; single calls that fail raise nothing.

    Parameters
    ----------
    sids : str, path, DataFrame, Series, Index or any iterable
        A path to a text, CSV or Parquet file, a frame with a ``sid`` column (and, for calls of
        several accounts, ``account_sid``), or the SIDs themselves.
    client : Client, optional
        Who signs in, and where; by default as the environment says.
    columns : sequence of str, optional
        Which columns, in which order; by default all of :data:`callkit.SCHEMA`.
    progress : bool, optional
        Whether to show a bar; by default in a terminal or a notebook, from some hundred calls on.

    Returns
    -------
    Collected
        ``.frame`` with one row per distinct call, in the order of first mention, and ``.failures``
        with one row per call that did not arrive. See :func:`to_frame` for the dtypes.

    Raises
    ------
    InvalidSidError, SidListError
        The list is no SID list; before the first request, except for a generator.
    CredentialsError
        There are no credentials.
    SignInError, WrongAccountError, RunStoppedError
        What failed would have failed for every call. What was fetched is in ``.frame``.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> with Sandbox(calls=100, seed=7) as sandbox:
    ...     got = callkit.collect(
    ...         sandbox.sids(20) + sandbox.unknown_sids(2), client=sandbox.client()
    ...     )
    >>> got
    Collected(20 calls, 2 failures: 2 not_found)
    """
    names = _checked_columns(columns)
    gathering = Gathering(read_sids(sids), client, progress)
    tables = [SCHEMA.empty_table()]
    try:
        for table in gathering.tables():
            tables.append(table.select(names))  # noqa: PERF401  (what came is kept if it raises)
    except IncompleteError as stop:
        stop.attach(*_frames(tables, names, gathering))
        raise
    return Collected(*_frames(tables, names, gathering))


def to_frame(
    sids: SidSource,
    *,
    client: Client | None = None,
    errors: Literal["raise", "warn"] = "raise",
    columns: Sequence[str] | None = None,
    progress: bool | None = None,
) -> pd.DataFrame:
    """Fetch calls and return them as a typed frame.

    Parameters
    ----------
    sids, client, columns, progress
        As for :func:`collect`.
    errors : {"raise", "warn"}, default "raise"
        What to do, at the end, about calls that did not arrive.

    Returns
    -------
    pandas.DataFrame
        One row per distinct call, in the order of first mention. SIDs, parties and names are
        ``str``; ``status``, ``direction`` and ``answered_by`` categories; times
        ``datetime64[us, UTC]``; ``duration`` and ``queue_time`` ``timedelta64[ms]``; ``price`` an
        exact Arrow ``decimal128(18, 8)``. ``df.attrs["callkit"]`` holds counts and as-of times.

    Raises
    ------
    FetchError
        Calls did not arrive. ``.frame`` has those that did, ``.failures`` says why the others
        did not.
    InvalidSidError, SidListError, CredentialsError, SignInError, WrongAccountError
        As for :func:`collect`.

    Examples
    --------
    Rows do not line up with a list that names a call twice, so join by SID:

    >>> from callkit.sandbox import Sandbox
    >>> with Sandbox(calls=100, seed=7) as sandbox:
    ...     sids = sandbox.sids(3)
    ...     df = callkit.to_frame(sids, client=sandbox.client())
    >>> mine = pd.DataFrame({"sid": [sids[2], sids[0], sids[2]], "campaign": ["a", "b", "c"]})
    >>> joined = mine.merge(df, on="sid", how="left", validate="many_to_one")
    >>> joined["campaign"].tolist()
    ['a', 'b', 'c']
    """
    check_errors(errors)
    got = collect(sids, client=client, columns=columns, progress=progress)
    report_failures(got.frame, len(got.frame), got.failures, errors)
    return got.frame


def check_errors(errors: str) -> None:
    """Refuse an ``errors=`` that is none, before any work is done."""
    if errors not in {"raise", "warn"}:
        raise ValueError(f"errors must be 'raise' or 'warn', not {errors!r}")


def report_failures(frame: Frame, calls: int, failures: pd.DataFrame, errors: str) -> None:
    """Raise or warn, as `errors` says, if there are failures beside so many calls."""
    if failures.empty:
        return
    counts = describe_failures(failures["reason"].tolist())
    message = f"{counts}, of {calls + len(failures):,} calls"
    if errors == "warn":
        warnings.warn(message, IncompleteWarning, stacklevel=3)
        return
    hint = "the others are kept: except callkit.FetchError as e: e.frame, e.failures"
    raise FetchError(f"{message}; {hint}", frame=frame, failures=failures)


def describe_failures(reasons: Sequence[str]) -> str:
    """Count failures by reason, in one phrase; nothing for none."""
    if not reasons:
        return ""
    counts = ", ".join(f"{n:,} {reason}" for reason, n in Counter(reasons).most_common())
    return f"{len(reasons):,} failure{'s' if len(reasons) > 1 else ''}: {counts}"


def _checked_columns(columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(SCHEMA.names)
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in SCHEMA.names]
    if unknown:
        raise ValueError(
            f"no such column: {', '.join(map(repr, unknown))}; there are {', '.join(SCHEMA.names)}"
        )
    return names


def _frames(
    tables: list[pa.Table], names: list[str], gathering: Gathering
) -> tuple[pd.DataFrame, pd.DataFrame]:
    tables[0] = tables[0].select(names)
    frame = table_to_frame(pa.concat_tables(tables))
    frame.attrs.update(gathering.attributes())
    return frame, failures_frame(gathering.failures)


def _located(failure: Failure, fetched: Fetched) -> Failure:
    """Say of a body that breaks the contract how it was fetched."""
    return replace(
        failure,
        account_sid=fetched.account_sid,
        status=200,
        request_id=fetched.request_id,
        attempts=fetched.attempts,
    )
