"""What can go wrong, as a tree: catch :class:`CallkitError` for all of it.

::

    CallkitError
    ├── SidListError         a SID list cannot be read at all
    ├── CredentialsError     no credentials, or none that may be sent there
    ├── CacheError           a cache that cannot be used
    ├── SandboxError         the sandbox cannot start
    ├── FrameError           a frame, key, zone or period that a breakdown cannot work with
    ├── ParquetError         a file that cannot be written or read
    ├── CallFailedError      the one call that was asked for did not arrive
    └── IncompleteError      part of the work failed; what worked is in ``.frame``
        ├── InvalidSidError  a SID list holds something that is no Call SID
        ├── NormaliseError   some bodies break the contract
        └── FetchError       some calls could not be fetched
            └── RunStoppedError       what failed would have failed for every call
                ├── SignInError       the server keeps refusing the sign-in
                └── WrongAccountError none of the first calls is known there

    KeyboardInterrupt
    └── FetchInterrupted         Ctrl-C; what had arrived is in ``.frame``
"""

from collections.abc import Callable
from typing import Self, TypeAlias

import pandas as pd

from callkit.outcomes import Failure

__all__ = [
    "CacheError",
    "CacheWarning",
    "CallFailedError",
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


class CallkitError(Exception):
    """The root of every exception that callkit raises on purpose."""


class SidListError(CallkitError, ValueError):
    """A SID list cannot be read: no such file, no ``sid`` column, not a list."""


class CredentialsError(CallkitError):
    """There are no credentials, or none that may be sent to that host."""


class CacheError(CallkitError):
    """A cache cannot be opened, is damaged, or is no cache of callkit's; it is not touched."""


class SandboxError(CallkitError):
    """The sandbox cannot start: its port is taken, say, or an extra is not installed."""


class FrameError(CallkitError, ValueError):
    """A frame lacks what was asked of it, or a key, zone or period is not one."""


class ParquetError(CallkitError):
    """A file cannot be written where it was asked for, or is no Parquet that callkit reads."""


class CallFailedError(CallkitError):
    """The one call that was asked for did not arrive; ``.failure`` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(f"{failure.sid}: {failure.reason}: {failure.message}")
        self.failure = failure

    def __reduce__(self) -> tuple[type[Self], tuple[Failure]]:
        return type(self), (self.failure,)


class _Keeping(BaseException):
    """An exception that keeps what worked until it was raised."""

    def __init__(
        self, message: str, *, frame: Frame | None = None, failures: pd.DataFrame | None = None
    ) -> None:
        super().__init__(message)
        self.attach(frame, failures)

    def attach(self, frame: Frame | None, failures: pd.DataFrame | None) -> None:
        """Hold on to what worked (or to how it is read when asked for) and what failed."""
        self._frame, self._failures = frame, failures

    @property
    def frame(self) -> pd.DataFrame:
        """What worked; of an export it is read from disk when it is asked for."""
        if callable(self._frame):
            self._frame = self._frame()
        return _attached(self._frame)

    @property
    def failures(self) -> pd.DataFrame:
        """What failed, a row each; see :func:`callkit.collect` for the columns."""
        return _attached(self._failures)


def _attached(frame: pd.DataFrame | None) -> pd.DataFrame:
    if frame is None:
        raise AttributeError(
            "no frame was made: nothing was fetched, or fetch_many handed it over, or an "
            "interrupted export left it in the cache"
        )
    return frame


class IncompleteError(_Keeping, CallkitError):
    """Part of the work failed, and what worked is kept in ``.frame`` and ``.failures``."""


class InvalidSidError(IncompleteError, ValueError):
    """A SID list holds entries that are no Call SIDs; the message names the first few.

    A list is refused before the first request. A generator is checked as it is read, and what was
    fetched until then is in ``.frame``.
    """


class NormaliseError(IncompleteError):
    """Some bodies break the contract; the good ones are in ``.frame``."""


class FetchError(IncompleteError):
    """Some calls could not be fetched; those that could are in ``.frame``."""


class FetchInterrupted(_Keeping, KeyboardInterrupt):
    """Ctrl-C, or a notebook's stop button, while calls were fetched.

    ``.frame`` and ``.failures`` hold what had arrived, and what had failed, until then. Where an
    export has a cache, the calls are in the cache alone.
    """


class RunStoppedError(FetchError):
    """The run ended early: what failed would have failed for every call."""


class SignInError(RunStoppedError):
    """The server keeps refusing the sign-in."""


class WrongAccountError(RunStoppedError):
    """None of the first calls is known there: a wrong account or region."""


class IncompleteWarning(UserWarning):
    """What :class:`FetchError` and :class:`NormaliseError` say, under ``errors="warn"``."""


class CacheWarning(UserWarning):
    """The cache can no longer be written; the run goes on without it."""


class PriceChangeWarning(UserWarning):
    """Prices are no longer what the cache had."""
