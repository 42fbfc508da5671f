"""Calls exported to an open file instead of a path, for standard output."""

import tempfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Literal, TypeAlias

import pandas as pd

from callkit.bulk import BulkExport
from callkit.cache.store import Refresh
from callkit.call_list import CallList
from callkit.errors import FetchInterrupted, IncompleteError
from callkit.fetch import Client
from callkit.files.exporting import write_tables, written_schema
from callkit.files.formats import csv_rows, json_rows
from callkit.files.paths import file_errors
from callkit.normaliser.casts import price_changes_frame
from callkit.page_options import PageOptions
from callkit.pseudonyms import Pseudonyms
from callkit.runs import run_over
from callkit.sids import SidSource

TextFormat: TypeAlias = Literal["csv", "jsonl"]


@dataclass(frozen=True)
class Streamed:
    """What a run gave; ``stop`` is what ended it early, if anything did."""

    calls: int
    failures: pd.DataFrame
    price_changes: pd.DataFrame
    stop: IncompleteError | None


def export_to_file(
    file: IO[bytes],
    sids: SidSource | CallList | BulkExport,
    *,
    format: TextFormat,  # noqa: A002  (as for export)
    client: Client | None,
    cache: str | PathLike[str] | None,
    refresh: Refresh,
    options: PageOptions,
    pseudonyms: Pseudonyms | None,
    escape_formulas: bool,
    progress: bool | None,
) -> Streamed:
    """Write calls to an open temporary file; a run that is interrupted, or has no calls, raises."""
    run = run_over(sids, client, cache, refresh, progress, options=options)
    schema = written_schema(pseudonyms)
    if format == "csv":
        written = csv_rows(file, schema, escape_formulas=escape_formulas)
    else:
        written = json_rows(file, schema)
    with file_errors(Path(tempfile.gettempdir())):
        stop = write_tables(run, pseudonyms, written)
    if isinstance(stop, FetchInterrupted) or (stop is not None and run.calls == 0):
        raise stop
    return Streamed(run.calls, run.failures_frame(), price_changes_frame(run.price_changes), stop)
