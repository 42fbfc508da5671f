"""callkit: what Twilio calls cost and where the minutes went.

A date range, a list of Call SIDs or Bulk Export files go in; a typed DataFrame, Parquet, and charts
of cost and duration come out.
"""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING

__version__ = version("callkit")

from callkit import cache, errors, sandbox
from callkit.breakdown import (
    calls_in_progress,
    cost_breakdown,
    duration_breakdown,
    roll_up,
    summary,
)
from callkit.bulk import BulkExport
from callkit.bulk.reading import read_bulk_export
from callkit.call_list import CallList
from callkit.calls import FetchResult, collect, to_frame
from callkit.errors import CallkitError, FetchError
from callkit.fetch import Client
from callkit.files import export, read_parquet, to_parquet
from callkit.normaliser import normalise
from callkit.outcomes import Failure, Fetched
from callkit.pseudonyms import Pseudonyms, pseudonymise
from callkit.renamed import NAMES as _RENAMED
from callkit.sandbox import sample
from callkit.schema import SCHEMA

if TYPE_CHECKING:
    from callkit import charts

__all__ = [
    "SCHEMA",
    "BulkExport",
    "CallList",
    "CallkitError",
    "Client",
    "Failure",
    "FetchError",
    "FetchResult",
    "Fetched",
    "Pseudonyms",
    "cache",
    "calls_in_progress",
    "charts",
    "collect",
    "cost_breakdown",
    "duration_breakdown",
    "errors",
    "export",
    "normalise",
    "pseudonymise",
    "read_bulk_export",
    "read_parquet",
    "roll_up",
    "sample",
    "sandbox",
    "summary",
    "to_frame",
    "to_parquet",
]


if not TYPE_CHECKING:  # a type checker should report an unknown name

    def __getattr__(name: str) -> object:
        """Load the charts, and matplotlib with them, on first use; refuse renamed names."""
        if name == "charts":
            return import_module("callkit.charts")
        if name in _RENAMED:
            # Of an AttributeError, Python replaces the message where a name is imported.
            raise ImportError(f"callkit.{name} was renamed: use {_RENAMED[name]}")
        raise AttributeError(f"module 'callkit' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, the charts included before they are loaded."""
    return [*__all__, "__doc__", "__version__"]
