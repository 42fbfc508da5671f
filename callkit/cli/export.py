"""``callkit export``."""

import argparse
import os
import shutil
import sys
import warnings
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

import callkit
from callkit.calls import FetchResult, describe_failures
from callkit.cli.arguments import (
    PAGES,
    CommandError,
    Commands,
    add_fetching,
    calls_counted,
    complain,
    note,
    output_errors,
    progress,
)
from callkit.cli.calls import add_sids_or_range, calls_asked
from callkit.errors import IncompleteWarning, PriceChangeWarning
from callkit.files import FormatName
from callkit.files.paths import holds
from callkit.pairs import name_beside
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
    standard_output = options.out == "-"
    of_name = _FORMATS.get(Path(options.out).suffix.lower(), "parquet")
    format_name = options.format or ("csv" if standard_output else of_name)
    if options.by_month and format_name != "parquet":
        raise CommandError(f"--by-month works with Parquet only, not with {format_name}")
    if standard_output and format_name == "parquet":
        raise CommandError(
            "Parquet cannot be written to standard output: name a file, or use --format csv"
        )
    if not standard_output:
        exported = _export(options, Path(options.out), format_name)
        return _report(exported, f" in {options.out}", options)
    with TemporaryDirectory(prefix="callkit-") as folder:
        path = Path(folder, f"calls.{format_name}")
        try:
            exported = _export(options, path, format_name)
        finally:  # after an early end too
            _pour_out(path)
        return _report(exported, "", options)


def _export(options: argparse.Namespace, path: Path, format_name: FormatName) -> FetchResult:
    beside = name_beside(path, by_month=options.by_month)
    pseudonyms = _pseudonyms(options, written=(path, beside))
    calls = calls_asked(options, path, beside)
    with (
        # _report tells both.
        warnings.catch_warnings(action="ignore", category=IncompleteWarning),
        warnings.catch_warnings(action="ignore", category=PriceChangeWarning),
        ExitStack() as stack,
    ):
        client = None
        if not isinstance(calls, callkit.BulkExport):  # which needs no credentials
            client = stack.enter_context(callkit.Client(concurrency=options.concurrency))
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
            progress=progress(options),
        )


def _pseudonyms(options: argparse.Namespace, written: tuple[Path, Path]) -> Pseudonyms | None:
    """Make the pseudonyms asked for; the key file must not be one of those `written`."""
    if not options.pseudonymise:
        if options.key_file is not None or options.keep is not None:
            raise CommandError("--key-file and --keep need --pseudonymise")
        return None
    try:
        return Pseudonyms(_key(options.key_file, written), keep=options.keep)
    except ValueError as error:
        raise CommandError(str(error)) from None


def _key(file: Path | None, written: tuple[Path, Path]) -> bytes:
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


def _report(exported: FetchResult, where: str, options: argparse.Namespace) -> int:
    listed = "" if options.started is None else " listed"
    note(f"{calls_counted(exported.calls)}{listed}{where}", quiet=options.quiet)
    for sid, old, new in exported.price_changes.dropna(subset="old").itertuples(index=False):
        now = "none" if pd.isna(new) else f"{new:f}"
        complain(f"the price of {sid} changed from {old:f} to {now}", 0)
    if exported.failures.empty:
        return 0
    counts = describe_failures(exported.failures)
    beside = f"; see {exported.failures_path}" if where else ""
    return complain(f"{counts}{beside}", _SOME_FAILED if options.errors == "raise" else 0)


def _pour_out(calls: Path) -> None:
    """Write what an export has left: failures to standard error, calls to standard output."""
    failures = name_beside(calls, by_month=False)
    if failures.exists():
        sys.stderr.write(failures.read_text("utf-8"))
    if calls.exists():
        with calls.open("rb") as file, output_errors():
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()
