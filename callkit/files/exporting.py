"""SID list, dates or files in; Parquet, CSV or JSON Lines out, and the failures beside it."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa

from callkit.bulk import BulkExport
from callkit.bulk.run import BulkExportRun
from callkit.cache.store import Refresh
from callkit.call_list import CallList, Moment
from callkit.calls import Errors, FetchResult, check_options, raise_or_warn
from callkit.errors import FetchInterrupted, IncompleteError, ParquetError
from callkit.fetch import Client
from callkit.files.datasets import check_columns, check_unfiltered
from callkit.files.formats import (
    Attributes,
    Write,
    csv_file,
    json_lines,
    month_files,
    parquet_file,
    read_csv,
    read_json_lines,
)
from callkit.files.formulas import escaped
from callkit.files.parquet import frame_to_table, read_parquet
from callkit.files.paths import (
    RUN_ID,
    check_beside,
    check_cache_apart,
    check_files_apart,
    check_list_apart,
    check_no_failures,
    check_writable,
    months_in,
)
from callkit.files.replacing import Replacement, complete, replacing
from callkit.files.updates import bringing_up_to_date
from callkit.listing import ListRun
from callkit.loop import Run
from callkit.normaliser import table_to_frame
from callkit.normaliser.casts import price_changes_frame
from callkit.page_options import PageOptions
from callkit.paging import Pages
from callkit.pairs import name_beside
from callkit.pseudonyms import Pseudonyms
from callkit.runs import run_over
from callkit.schema import SCHEMA
from callkit.sids import SidSource

FormatName: TypeAlias = Literal["parquet", "csv", "jsonl"]


class Format(NamedTuple):
    """How calls are written, one table after the other, and made a frame again."""

    written: Callable[[Path, pa.Schema, Attributes], AbstractContextManager[Write]]
    read: Callable[[Path, pa.Schema], pd.DataFrame]


def export(
    sids: SidSource | CallList | BulkExport,
    path: str | PathLike[str],
    *,
    format: FormatName = "parquet",  # noqa: A002  (as Polars and DuckDB call it)
    by_month: bool = False,
    pseudonyms: Pseudonyms | None = None,
    escape_formulas: bool = False,
    client: Client | None = None,
    cache: str | PathLike[str] | None = None,
    refresh: Refresh = None,
    pages: Pages = "auto",
    started: Sequence[Moment] | None = None,
    date_column: str | None = None,
    errors: Errors = "raise",
    progress: bool | None = None,
) -> FetchResult:
    """Fetch calls straight into a file; memory does not grow with the bodies.

    The file takes its name only when it is complete. If calls fail, a CSV beside it
    (``calls.failures.csv`` for ``calls.parquet``, ``calls.csv.failures.csv`` for ``calls.csv``,
    ``calls.by-month.failures.csv`` for a folder ``calls``) says which and why; if none do, one left
    by an earlier export is removed. Both files carry the same run id, and both are replaced or
    neither is. A process killed while it replaces them leaves a hidden folder beside them; until
    the next export to `path` has completed the replacement, readers refuse the files.

    A date range (:class:`callkit.CallList`) updates a dataset by month that exists already: its
    calls replace those of that range and of those accounts, and all others stay. Each month is
    replaced whole or not at all; one with a day that could not be listed completely stays as it
    was. Calls outside the range that were not final are fetched again.

    Bulk Export files (:class:`callkit.BulkExport`) are converted as they are read: rows wait in a
    temporary file until all are, so memory hardly grows with them.

    CSV and JSON Lines hold the same columns: prices in fixed-point decimals with eight places
    (``-0.01700000``), in JSON as text, since its readers turn numbers into floats; ``duration`` in
    whole seconds and ``queue_time`` in milliseconds; times as ISO 8601 (``2025-03-09T08:05:17Z``);
    missing values are empty fields, or null. CSV follows RFC 4180, in UTF-8.

    Parameters
    ----------
    sids, client, cache, refresh, pages, started, date_column, errors, progress
        As for :func:`callkit.to_frame`. To retry failures, pass the whole list and the same
        `cache`, so final calls are not requested again; or export the failures to another file,
        since this one is replaced entirely (unless a date range updates a dataset).
    format : {"parquet", "csv", "jsonl"}, default "parquet"
        What to write.
    escape_formulas : bool, default False
        Whether to put an apostrophe before text in CSV files, that of failures included, that a
        spreadsheet would take for a formula: text that begins with ``=``, ``+``, ``-``, ``@``, a
        tab, a line break or an apostrophe. Numbers such as ``+442079460000`` begin so, too: they
        then are ``'+442079460000`` for every program that reads the file.
    path, by_month, pseudonyms
        As for :func:`callkit.to_parquet`. The cache keeps calls as they arrived.

    Returns
    -------
    FetchResult
        Where the files are (``.path``, ``.failures_path``), how many calls this run wrote, and what
        failed; ``.frame`` and ``.table`` read the calls back on first access, of an updated dataset
        all of them.

    Raises
    ------
    FetchError
        Calls could not be fetched; both files are written anyway. See ``.failures``.
    NormaliseError
        The same, of records in Bulk Export files; nothing is written if none could be read.
    ParquetError
        The file cannot be written, has the extension of another format, or would replace the SID
        list or the cache; or the dataset or failures file would replace something that callkit did
        not write; or a dataset cannot be updated, since its columns or pseudonyms differ or the
        date range, or what the dataset holds, is filtered. Raised before the first request.
    InvalidSidError, SidListError, CredentialsError, SignInError, WrongAccountError, CacheError
        As for :func:`callkit.collect`. If calls had been fetched, they are in the file; if none
        had, existing files are left as they were.
    FetchInterrupted
        Ctrl-C: existing files are left as they were. What had arrived is in the cache, or else in
        ``.frame``.

    Examples
    --------
    >>> from callkit.sandbox import Sandbox
    >>> sandbox = Sandbox(calls=100)
    >>> callkit.export(sandbox.sids(20), "calls.parquet", client=sandbox.client())
    FetchResult(20 calls in 'calls.parquet', no failures)
    """
    check_options(refresh, errors)
    options = PageOptions(pages, started, date_column)
    target = Path(path)
    complete(target)
    updates = isinstance(sids, CallList) and bool(months_in(target))
    by_month = by_month or updates
    form = format_named(format, target, by_month=by_month)
    if escape_formulas and format == "csv":
        form = _WITHOUT_FORMULAS
    beside = name_beside(target, by_month=by_month)
    check_writable(target, folder=by_month)
    _check_places(sids, target, beside, cache)
    run = run_over(sids, client, cache, refresh, progress, options=options)
    schema = written_schema(pseudonyms)
    if isinstance(run, ListRun) and by_month:
        form = form._replace(written=partial(month_files, are_final=run.are_final))
        if months_in(target):
            _check_update(sids, target, schema)
    with replacing(target, beside, folder=by_month) as new:
        attributes = partial(_attributes, run, new.run_id)
        with _place(target, new, run, pseudonyms, schema) as part:
            stop = write_tables(run, pseudonyms, form.written(part, schema, attributes))
            # The months of a dataset say together what it covers.
            read = partial(_read, form.read, schema, {} if updates else attributes())
            if isinstance(stop, FetchInterrupted) or (stop is not None and run.calls == 0):
                try:
                    raise _holding_what_came(stop, run, new, partial(read, part), schema)
                finally:
                    del stop  # else its own traceback would keep it, and with it the files
        failures = run.failures_frame()
        shown = failures.map(escaped) if escape_formulas else failures
        _write_failures(shown, new.failures(), new.run_id)
    if stop is not None:
        stop.attach(partial(read, target), failures)
        raise stop
    result = FetchResult(
        run.calls,
        failures,
        price_changes_frame(run.price_changes),
        target,
        None if failures.empty else beside,
        load_frame=partial(read, target),
        load_table=partial(_read_table, partial(read, target)),
    )
    raise_or_warn(result, errors, of_files=isinstance(sids, BulkExport))
    return result


def _place(
    target: Path,
    new: Replacement,
    run: Run | ListRun | BulkExportRun,
    pseudonyms: Pseudonyms | None,
    schema: pa.Schema,
) -> AbstractContextManager[Path]:
    """Choose where to write: what replaces the output, or what a dataset is updated with."""
    if isinstance(run, ListRun) and months_in(target):
        read = partial(_read_parquet, schema=schema)
        return bringing_up_to_date(target, new, run, pseudonyms, read)
    return nullcontext(new.calls())


def _holding_what_came(
    stop: IncompleteError | FetchInterrupted,
    run: Run | ListRun | BulkExportRun,
    new: Replacement,
    read: Callable[[], pd.DataFrame],
    schema: pa.Schema,
) -> IncompleteError | FetchInterrupted:
    """Attach what had come to what ended the run, or leave it to the cache."""
    failures = run.failures_frame()
    if run.calls == 0:
        stop.attach(table_to_frame(schema.empty_table()), failures)
    elif run.keeps:
        stop.attach(None, failures)
    else:
        new.keep_for(stop)
        stop.attach(read, failures)
    return stop


def _attributes(run: Run | ListRun | BulkExportRun, run_id: str) -> dict[str, Any]:
    """Say of a run what files and frames of its calls say."""
    attributes = run.attributes()
    attributes["callkit"][RUN_ID] = run_id
    return attributes


def _write_failures(failures: pd.DataFrame, path: Path, run_id: str) -> None:
    """Write the failures; without any, the file stays empty."""
    if not failures.empty:
        failures.assign(**{RUN_ID: run_id}).to_csv(path, index=False)


def _check_places(
    sids: SidSource | CallList | BulkExport,
    target: Path,
    beside: Path,
    cache: str | PathLike[str] | None,
) -> None:
    """See that neither of the two files replaces the cache, the list, or somebody else's file."""
    if cache is not None:
        check_cache_apart(Path(cache), (target, beside))
    check_beside(beside)
    if isinstance(sids, str | PathLike):
        check_list_apart(Path(sids), target, beside)
    if isinstance(sids, BulkExport):
        check_files_apart(sids.files, target, beside)
    check_no_failures(target)


def _check_update(
    calls: SidSource | CallList | BulkExport, target: Path, schema: pa.Schema
) -> None:
    """Refuse to update a dataset with part of a date range, and one that holds but part of it."""
    part = "the failures of a date range"
    if isinstance(calls, CallList):
        filters = ", ".join(name for name, _ in calls.filters())
        part = f"a date range that is filtered (by {filters})" if filters else ""
    if part:
        raise ParquetError(
            f"Cannot update {str(target)!r} with {part}: it would remove the other calls of the "
            "range. Export to another folder, or list the whole range"
        )
    check_unfiltered(target)
    check_columns(target, schema)


def format_named(name: FormatName, path: Path, *, by_month: bool) -> Format:
    """Choose a format, and see that `path` does not promise another, or none of callkit's."""
    if name not in _FILES:
        raise ValueError(f"Invalid format {name!r}: expected {' or '.join(map(repr, _FILES))}")
    if by_month and name != "parquet":
        raise ValueError(f"by_month=True works with Parquet only, not with format={name!r}")
    ending = path.suffix.lower().removeprefix(".")
    if ending in ("xlsx", "xls", "ods"):
        raise ParquetError(
            f"Cannot write the workbook {str(path)!r}: callkit writes .parquet, .csv and "
            ".jsonl. The page on Parquet in the documentation has a recipe for Excel"
        )
    if ending in _FILES and ending != name:
        raise ParquetError(
            f"{str(path)!r} would contain {name}: pass format={ending!r} or change the "
            "file extension"
        )
    return Format(month_files, _read_parquet) if by_month else _FILES[name]


def written_schema(pseudonyms: Pseudonyms | None) -> pa.Schema:
    return SCHEMA if pseudonyms is None else pseudonyms.of_table(SCHEMA.empty_table()).schema


def write_tables(
    run: Run | ListRun | BulkExportRun,
    pseudonyms: Pseudonyms | None,
    written: AbstractContextManager[Write],
) -> IncompleteError | FetchInterrupted | None:
    """Write calls as they are handed over, and return what ended the run early, if anything did."""
    with written as write, closing(run.tables()) as tables:
        try:
            for table in tables:
                write(table if pseudonyms is None else pseudonyms.of_table(table))
        except (IncompleteError, FetchInterrupted) as stop:
            return stop
    return None


def _read(
    read: Callable[[Path, pa.Schema], pd.DataFrame],
    schema: pa.Schema,
    attributes: dict[str, Any],
    path: Path,
) -> pd.DataFrame:
    frame = read(path, schema)
    frame.attrs.update(attributes)
    return frame


def _read_parquet(path: Path, schema: pa.Schema) -> pd.DataFrame:
    return read_parquet(path, columns=schema.names)


def _read_table(read: Callable[[], pd.DataFrame]) -> pa.Table:
    return frame_to_table(read())


_WITHOUT_FORMULAS = Format(
    partial(csv_file, escape_formulas=True), partial(read_csv, escaped_formulas=True)
)
_FILES: dict[str, Format] = {
    "parquet": Format(parquet_file, _read_parquet),
    "csv": Format(csv_file, read_csv),
    "jsonl": Format(json_lines, read_json_lines),
}
