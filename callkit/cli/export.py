"""``callkit export``."""

import argparse
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import pandas as pd

import callkit
from callkit.calls import FetchResult, describe_failures
from callkit.cli.arguments import PAGES, Commands, add_fetching, calls_counted, progress
from callkit.cli.calls import add_sids_or_range, calls_asked
from callkit.cli.streams import CommandError, check_output, complain, copy_out, note
from callkit.errors import IncompleteWarning, PriceChangeWarning
from callkit.files import FormatName
from callkit.files.formulas import escaped
from callkit.files.paths import holds
from callkit.files.streaming import Streamed, export_to_file
from callkit.page_options import PageOptions
from callkit.pairs import name_beside
from callkit.printable import printable
from callkit.pseudonyms import Pseudonyms

_SOME_FAILED = 1
_VARIABLE = "CALLKIT_PSEUDONYM_KEY"
_FORMATS: dict[str, FormatName] = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl"}


def add_export(commands: Commands) -> None:
    export = commands.add_parser(
        "export",
        help="fetch calls into a file",
        description="Fetch the calls of a SID list, or of a date range, into a Parquet, CSV or "
        "JSON Lines file, or convert Bulk Export files to one. Credentials are read from the "
        "environment: TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and "
        "TWILIO_API_SECRET instead of the token. Calls that fail are listed in a CSV file beside "
        "the output (calls.failures.csv for calls.parquet, calls.csv.failures.csv for calls.csv); "
        "the exit code is then 1.",
        epilog="example: callkit export sids.txt -o calls.parquet --cache calls.sqlite",
    )
    add_sids_or_range(export)
    export.add_argument(
        "-o",
        "--out",
        required=True,
        help="output file, or - for standard output, which is written at the end of the run with "
        "failures on standard error",
    )
    export.add_argument(
        "--format",
        choices=_FORMATS.values(),
        help="output format (default: from the extension, else parquet; csv on standard output)",
    )
    export.add_argument(
        "--by-month",
        action="store_true",
        help="write a folder: a Parquet dataset with one file per month",
    )
    export.add_argument(
        "--escape-formulas",
        action="store_true",
        help="put an apostrophe before text in CSV that a spreadsheet would take for a formula, "
        "such as numbers that begin with +; in the file of failures, too",
    )
    export.add_argument(
        "--cache",
        type=Path,
        metavar="FILE",
        help="keep calls in this file; final calls are not requested again, and an interrupted "
        "run can be resumed",
    )
    export.add_argument(
        "--refresh",
        choices=["all", "unpriced"],
        help="request cached calls again (all, or those without a price) and report changed prices",
    )
    export.add_argument(
        "--errors",
        choices=["raise", "warn"],
        default="raise",
        help="exit with 1 (raise) or 0 (warn) if some calls failed (default: %(default)s)",
    )
    # The key is not an argument: it would be visible in the shell history and the process list.
    group = export.add_argument_group("pseudonyms")
    group.add_argument(
        "--pseudonymise",
        action="store_true",
        help="replace numbers and addresses with pseudonyms and leave names out; the key is read "
        f"from {_VARIABLE} or --key-file",
    )
    group.add_argument("--key-file", type=Path, metavar="FILE", help="a file that contains the key")
    group.add_argument(
        "--keep", choices=["country"], help="keep each number's country and type in its pseudonym"
    )
    add_fetching(export)
    export.set_defaults(run=_run, parser=export)


def _run(options: argparse.Namespace) -> int:
    of_name = _FORMATS.get(Path(options.out).suffix.lower(), "parquet")
    if options.out == "-":
        return _to_standard_output(options, options.format or "csv")
    format_name = options.format or of_name
    _check_by_month(options, format_name)
    exported = _to_path(options, Path(options.out), format_name)
    beside = f"; see {exported.failures_path}"
    return _report(exported, options, where=f" in {options.out}", beside=beside)


def _check_by_month(options: argparse.Namespace, format_name: FormatName) -> None:
    if options.by_month and format_name != "parquet":
        raise CommandError(f"--by-month works with Parquet only, not with {format_name}")


def _to_path(options: argparse.Namespace, path: Path, format_name: FormatName) -> FetchResult:
    beside = name_beside(path, by_month=options.by_month)
    pseudonyms = _pseudonyms(options, path, beside)
    calls = calls_asked(options, path, beside)
    with (
        # _report tells both.
        warnings.catch_warnings(action="ignore", category=IncompleteWarning),
        warnings.catch_warnings(action="ignore", category=PriceChangeWarning),
        _client(options, calls) as client,
    ):
        return callkit.export(
            calls,
            path,
            client=client,
            format=format_name,
            by_month=options.by_month,
            cache=options.cache,
            refresh=options.refresh,
            pages=PAGES[options.pages],
            date_column=options.date_column,
            errors="warn",
            pseudonyms=pseudonyms,
            escape_formulas=options.escape_formulas,
            progress=progress(options),
        )


def _to_standard_output(options: argparse.Namespace, format_name: FormatName) -> int:
    """Write calls once the last is there, from a file without a name: no kill leaves it behind."""
    _check_by_month(options, format_name)
    if format_name == "parquet":
        raise CommandError(
            "Parquet cannot be written to standard output: name a file, or use --format csv"
        )
    check_output()  # before anything is fetched
    pseudonyms = _pseudonyms(options)
    calls = calls_asked(options)
    with _temporary_file() as file:
        with _client(options, calls) as client:
            exported = export_to_file(
                file,
                calls,
                format=format_name,
                client=client,
                cache=options.cache,
                refresh=options.refresh,
                options=PageOptions(PAGES[options.pages], None, options.date_column),
                pseudonyms=pseudonyms,
                escape_formulas=options.escape_formulas,
                progress=progress(options),
            )
        file.seek(0)
        return _hand_over(exported, file, options)


def _temporary_file() -> IO[bytes]:
    try:
        return TemporaryFile(prefix="callkit-")
    except OSError as error:
        raise CommandError(
            f"cannot create a temporary file: {error.strerror}. TMPDIR can name a folder for it"
        ) from error


def _hand_over(exported: Streamed, file: IO[bytes], options: argparse.Namespace) -> int:
    _show_failures(exported.failures, escape_formulas=options.escape_formulas)
    try:
        copy_out(file)
    except CommandError as error:
        if exported.stop is None:
            raise
        complain(error, 0)
    if exported.stop is not None:
        raise exported.stop
    return _report(exported, options)


@contextmanager
def _client(options: argparse.Namespace, calls: object) -> Iterator[callkit.Client | None]:
    if isinstance(calls, callkit.BulkExport):  # which needs no credentials
        yield None
        return
    with callkit.Client(concurrency=options.concurrency) as client:
        yield client


def _pseudonyms(options: argparse.Namespace, *written: Path) -> Pseudonyms | None:
    """Make the pseudonyms asked for; the key file must not be one of those `written`."""
    if not options.pseudonymise:
        if options.key_file is not None or options.keep is not None:
            raise CommandError("--key-file and --keep need --pseudonymise")
        return None
    try:
        return Pseudonyms(_key(options.key_file, written), keep=options.keep)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _key(file: Path | None, written: tuple[Path, ...]) -> bytes:
    if file is None:
        key = os.fsencode(os.environ.get(_VARIABLE, ""))
        if not key:
            raise CommandError(
                f"--pseudonymise needs a key: set {_VARIABLE}, or pass a file that contains it "
                "with --key-file FILE"
            )
        return key
    try:
        key = file.read_bytes()
    except OSError as error:  # not the path: it might be the key
        raise CommandError(f"cannot read the key file: {error.strerror}") from None
    if any(holds(place, file) for place in written):
        raise CommandError("the export would replace the key file: export to another file")
    return key


def _report(
    exported: FetchResult | Streamed, options: argparse.Namespace, where: str = "", beside: str = ""
) -> int:
    listed = "" if options.started is None else " listed"
    note(f"{calls_counted(exported.calls)}{listed}{where}", quiet=options.quiet)
    for sid, old, new in exported.price_changes.dropna(subset="old").itertuples(index=False):
        now = "none" if pd.isna(new) else f"{new:f}"
        complain(f"the price of {sid} changed from {old:f} to {now}", 0)
    if exported.failures.empty:
        return 0
    counts = describe_failures(exported.failures)
    return complain(f"{counts}{beside}", _SOME_FAILED if options.errors == "raise" else 0)


def _show_failures(failures: pd.DataFrame, *, escape_formulas: bool) -> None:
    """Write failures to standard error, as the CSV file of an export has them."""
    if not failures.empty:
        if escape_formulas:
            failures = failures.map(escaped)
        shown = failures.map(lambda value: printable(value) if isinstance(value, str) else value)
        sys.stderr.write(shown.to_csv(index=False, lineterminator="\n"))
