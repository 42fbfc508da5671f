"""The public names: `callkit` loads this module when the first of them is used."""

from importlib.metadata import version
from typing import TYPE_CHECKING

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
from callkit.sandbox import sample
from callkit.schema import SCHEMA

if TYPE_CHECKING:  # they load matplotlib, on first use
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

__version__ = version("callkit")
