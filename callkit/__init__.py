"""callkit: what Twilio calls cost and where the minutes went.

A list of Call SIDs goes in; a typed DataFrame, Parquet, and charts of cost and duration come out.
"""

from __future__ import annotations

from importlib import import_module as _import_module
from importlib.metadata import version as _version
from typing import TYPE_CHECKING

__version__ = _version("callkit")

from callkit.breakdown import (
    Summary,
    calls_in_progress,
    cost_breakdown,
    duration_breakdown,
    roll_up,
    summary,
)
from callkit.cache.admin import CacheInfo, cache_info, erase_from_cache, prune_cache
from callkit.calls import collect, to_frame
from callkit.errors import (
    CacheError,
    CacheWarning,
    CallFailedError,
    CallkitError,
    CredentialsError,
    FetchError,
    FetchInterrupted,
    FrameError,
    IncompleteError,
    IncompleteWarning,
    InvalidSidError,
    NormaliseError,
    ParquetError,
    PriceChangeWarning,
    RunStoppedError,
    SandboxError,
    SidListError,
    SignInError,
    WrongAccountError,
)
from callkit.fetch import Client
from callkit.normalise import normalise
from callkit.outcomes import Failure, Fetched
from callkit.parquet import export, read_parquet, to_parquet
from callkit.pseudonyms import Pseudonyms, pseudonymise
from callkit.results import FetchResult
from callkit.sandbox import sample
from callkit.schema import SCHEMA

if TYPE_CHECKING:
    from types import ModuleType

    from callkit import charts

__all__ = [
    "SCHEMA",
    "CacheError",
    "CacheInfo",
    "CacheWarning",
    "CallFailedError",
    "CallkitError",
    "Client",
    "CredentialsError",
    "Failure",
    "FetchError",
    "FetchInterrupted",
    "FetchResult",
    "Fetched",
    "FrameError",
    "IncompleteError",
    "IncompleteWarning",
    "InvalidSidError",
    "NormaliseError",
    "ParquetError",
    "PriceChangeWarning",
    "Pseudonyms",
    "RunStoppedError",
    "SandboxError",
    "SidListError",
    "SignInError",
    "Summary",
    "WrongAccountError",
    "cache_info",
    "calls_in_progress",
    "charts",
    "collect",
    "cost_breakdown",
    "duration_breakdown",
    "erase_from_cache",
    "export",
    "normalise",
    "prune_cache",
    "pseudonymise",
    "read_parquet",
    "roll_up",
    "sample",
    "summary",
    "to_frame",
    "to_parquet",
]


def __getattr__(name: str) -> ModuleType:
    """Load the charts, and matplotlib with them, when they are first used."""
    if name == "charts":
        return _import_module("callkit.charts")
    raise AttributeError(f"module 'callkit' has no attribute {name!r}")
