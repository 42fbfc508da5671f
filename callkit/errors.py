"""What can go wrong, as a tree: catch :class:`CallkitError` for all of it.

::

    CallkitError
    ├── SidListError         a SID list cannot be read at all
    ├── CallListError        a date range of calls has an invalid parameter
    ├── BulkExportError      there is no Bulk Export file where one is expected
    ├── CredentialsError     credentials are missing, invalid, or must not be sent there
    ├── CacheError           a cache that cannot be used
    ├── SandboxError         the sandbox cannot start
    ├── FrameError           a DataFrame, key, zone or period that a breakdown cannot use
    ├── ParquetError         a file that cannot be written or read
    ├── CallFailedError      the one call requested could not be fetched
    └── IncompleteError      part of the work failed; what succeeded is in ``.frame``
        ├── InvalidSidError  a SID list contains an entry that is not a Call SID
        ├── NormaliseError   some bodies break the contract
        └── FetchError       some calls could not be fetched
            └── RunStoppedError       the cause would have affected every call
                ├── SignInError       authentication keeps failing
                └── WrongAccountError none of the first calls was found

    KeyboardInterrupt
    └── FetchInterrupted         Ctrl-C; what was fetched is in ``.frame``
"""

from collections.abc import Callable
from typing import Self, TypeAlias

import pandas as pd

from callkit.outcomes import Failure
from callkit.printable import printable

__all__ = [
    "AgeWarning",
    "BulkExportError",
    "CacheError",
    "CacheWarning",
    "CallFailedError",
    "CallListError",
    "CallkitError",
    "CredentialsError",
    "FetchError",
    "FetchInterrupted",
    "FrameError",
    "IncompleteError",
    "IncompleteWarning",
    "InvalidSidError",
    "NormaliseError",
    "ParquetError",
    "PriceChangeWarning",
    "RunStoppedError",
    "SandboxError",
    "SidListError",
    "SignInError",
    "WrongAccountError",
]

Frame: TypeAlias = pd.DataFrame | Callable[[], pd.DataFrame]


class _Printable(BaseException):
    """An exception whose message is safe to show, whatever text of others it quotes."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(printable(a) if isinstance(a, str) else a for a in arguments))


class CallkitError(_Printable, Exception):
    """The root of every exception that callkit raises on purpose."""


class SidListError(CallkitError, ValueError):
    """A SID list cannot be read: no such file, no ``sid`` column, not a list."""


class CallListError(CallkitError, ValueError):
    """A date range of calls has an invalid parameter: see :class:`callkit.CallList`."""


class BulkExportError(CallkitError, ValueError):
    """A path, folder or pattern leads to no Bulk Export file: see :func:`callkit.read_bulk_export`.

    It is also raised if an option applies to calls that are fetched, not to files.
    """


class CredentialsError(CallkitError):
    """Credentials are missing, invalid, or must not be sent to that host."""


class CacheError(CallkitError):
    """A cache cannot be opened, is damaged, or is not a callkit cache; it is left unchanged."""


class SandboxError(CallkitError):
    """The sandbox cannot start: for example, its port is taken or a package is missing."""


class FrameError(CallkitError, ValueError):
    """A DataFrame lacks columns or has wrong ones, or a key, time zone or period is invalid."""


class ParquetError(CallkitError):
    """A file cannot be written, or is not a Parquet file that callkit can read."""


class CallFailedError(CallkitError):
    """The one call requested could not be fetched; see ``.failure``."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.sid}: {failure.reason}: {failure.message}")
        self.failure = failure

    def __reduce__(self) -> tuple[type[Self], tuple[Failure]]:
        return type(self), (self.failure,)


class _Keeping(_Printable):
    """An exception that keeps what had succeeded before it was raised."""

    def __init__(
        self, message: str, *, frame: Frame | None = None, failures: pd.DataFrame | None = None
    ) -> None:
        super().__init__(message)
        self.attach(frame, failures)

    def attach(self, frame: Frame | None, failures: pd.DataFrame | None) -> None:
        """Keep what succeeded (or how to read it on first access) and what failed."""
        self._frame, self._failures = frame, failures

    @property
    def frame(self) -> pd.DataFrame:
        """What succeeded; for an export, it is read from disk on first access."""
        if callable(self._frame):
            self._frame = self._frame()
        return _attached(self._frame)

    @property
    def failures(self) -> pd.DataFrame:
        """What failed, one row each; see :class:`callkit.FetchResult` for the columns."""
        return _attached(self._failures)


def _attached(frame: pd.DataFrame | None) -> pd.DataFrame:
    if frame is None:
        raise AttributeError(
            "No DataFrame is available: nothing was fetched, fetch_many had already returned "
            "the calls, or the calls of an interrupted export are in the cache"
        )
    return frame


class IncompleteError(_Keeping, CallkitError):
    """Part of the work failed; ``.frame`` has what succeeded, ``.failures`` what did not."""


class InvalidSidError(IncompleteError, ValueError):
    """A SID list contains entries that are not Call SIDs; the message lists the first few.

    A list is refused before the first request. A generator is checked as it is read, and what was
    fetched by then is in ``.frame``.
    """


class NormaliseError(IncompleteError):
    """Some bodies break the contract, or files are damaged; the other calls are in ``.frame``."""


class FetchError(IncompleteError):
    """Some calls could not be fetched; the others are in ``.frame``."""


class FetchInterrupted(_Keeping, KeyboardInterrupt):
    """Ctrl-C, or a notebook's stop button, while calls were being fetched.

    ``.frame`` and ``.failures`` contain what had been fetched and what had failed by then. If an
    export has a cache, and that could store all of them, the calls are in the cache only.
    """


class RunStoppedError(FetchError):
    """The run ended early: the cause would have affected every call."""


class SignInError(RunStoppedError):
    """Authentication keeps failing."""


class WrongAccountError(RunStoppedError):
    """None of the first calls was found: a wrong account or region, or calls that are too old."""


class IncompleteWarning(_Printable, UserWarning):
    """The message of a FetchError or NormaliseError, with ``errors="warn"``."""


class AgeWarning(_Printable, UserWarning):
    """A date range begins more than 13 months ago: older calls are only in Bulk Export."""


class CacheWarning(_Printable, UserWarning):
    """The cache can no longer be written to; the run continues without it."""


class PriceChangeWarning(_Printable, UserWarning):
    """Prices differ from the cached ones."""
