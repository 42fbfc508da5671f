"""``callkit export``."""

import argparse
import os
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

import callkit
from callkit.cli.arguments import (
    CommandError,
    Commands,
    add_loudness,
    calls_counted,
    complain,
    lines_of_standard_input,
    note,
    pour,
    progress,
)
from callkit.errors import IncompleteWarning, PriceChangeWarning
from callkit.files.formats import FormatName
from callkit.files.paths import check_list_apart, holds, name_beside
from callkit.pseudonyms import Pseudonyms
from callkit.results import FetchResult, count_failures
from callkit.sids import CallKey, read_sids

_STANDARD = "-"  # standard input, or standard output
_SOME_FAILED = 1
_VARIABLE = "CALLKIT_PSEUDONYM_KEY"
_FORMATS: dict[str, FormatName] = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl"}


def add_to(commands: Commands) -> None:
    """Add the command to the others."""
    export = commands.add_parser(
        "export",
        help="fetch a list of calls into a file",
        description="Fetch calls into a Parquet, CSV or JSON Lines file, with the sign-in of the "
        "environment (TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and "
        "TWILIO_API_SECRET). Calls that fail are listed in a CSV beside it, calls.failures.csv for "
        "calls.parquet and calls.csv.failures.csv for calls.csv, and the exit code is then 1.",
        epilog="example: callkit export sids.txt -o calls.parquet --cache calls.sqlite",
    )
    export.add_argument(
        "sids",
        help="a SID list: a text, CSV or Parquet file; or - for standard input, one SID a line",
    )
    export.add_argument(
        "-o",
        "--out",
        required=True,
        help="the file to write; or - for standard output, after the last call has come, with "
        "failures on standard error",
    )
    export.add_argument(
        "--format",
        choices=_FORMATS.values(),
        help="what to write (what the file's name ends in; else parquet; to standard output csv)",
    )
    export.add_argument(
        "--by-month",
        action="store_true",
        help="write a folder, a Parquet dataset with a file for each month",
    )
    export.add_argument(
        "--cache",
        type=Path,
        help="keep calls in this file; settled ones are not asked for again, and a run that was "
        "cut short goes on from there",
    )
    export.add_argument(
        "--refresh",
        choices=["all", "unpriced"],
        help="ask again for calls that the cache has settled, and tell changed prices",
    )
    export.add_argument(
        "--errors",
        choices=["raise", "warn"],
        default="raise",
        help="whether the exit code is 1 or 0 if some calls failed (%(default)s: 1)",
    )
    _add_pseudonyms(export)
    add_loudness(export)
    export.set_defaults(run=_run)


def _add_pseudonyms(command: argparse.ArgumentParser) -> None:
    # The key itself is no argument: it would stay in the shell's history, and show in the list of
    # processes.
    group = command.add_argument_group("pseudonyms")
    group.add_argument(
        "--pseudonymise",
        action="store_true",
        help="put pseudonyms in the place of numbers and addresses, and leave names out; the key "
        f"is what {_VARIABLE} is set to, or the content of --key-file",
    )
    group.add_argument("--key-file", type=Path, metavar="FILE", help="a file that holds the key")
    group.add_argument(
        "--keep", choices=["country"], help="let a pseudonym say the number's country and type"
    )


def _run(options: argparse.Namespace) -> int:
    standard_output = options.out == _STANDARD
    of_name = _FORMATS.get(Path(options.out).suffix.lower(), "parquet")
    format_name = options.format or ("csv" if standard_output else of_name)
    if options.by_month and format_name != "parquet":
        raise CommandError(f"--by-month is for Parquet, not for {format_name}")
    if standard_output and format_name == "parquet":
        raise CommandError("Parquet is not for standard output: name a file, or say --format csv")
    if not standard_output:
        exported = _export(options, Path(options.out), format_name)
        return _report(exported, f" in {options.out}", options)
    with TemporaryDirectory(prefix="callkit-") as folder:
        path = Path(folder, f"calls.{format_name}")
        try:
            exported = _export(options, path, format_name)
        finally:  # of a run that ended early, what had come
            _pour_out(path)
        return _report(exported, "", options)


def _export(options: argparse.Namespace, path: Path, format_name: FormatName) -> FetchResult:
    beside = name_beside(path, by_month=options.by_month)
    pseudonyms = _pseudonyms(options, written=(path, beside))
    sids: list[str] | pd.DataFrame
    if options.sids == _STANDARD:
        sids = lines_of_standard_input("calls, one SID a line")
    else:
        sids = _listed(Path(options.sids), path, beside)
    with warnings.catch_warnings():
        for told_below in (IncompleteWarning, PriceChangeWarning):
            warnings.simplefilter("ignore", told_below)
        return callkit.export(
            sids,
            path,
            format=format_name,
            by_month=options.by_month,
            cache=options.cache,
            refresh=options.refresh,
            errors="warn",
            pseudonyms=pseudonyms,
            progress=progress(options),
        )


def _pseudonyms(options: argparse.Namespace, written: tuple[Path, Path]) -> Pseudonyms | None:
    """Make pseudonyms, if asked for, under a key whose file is none of those `written`."""
    if not options.pseudonymise:
        if options.key_file is not None or options.keep is not None:
            raise CommandError("--key-file and --keep are for --pseudonymise: say that too")
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
                f"there is no key: set {_VARIABLE}, or name a file that holds it, --key-file FILE"
            )
        return key
    try:
        key = file.read_bytes()
    except OSError as error:  # not the path: it might be the key
        raise CommandError(f"the key file cannot be read: {error.strerror}") from None
    if any(holds(place, file) for place in written):
        raise CommandError("the export would replace the key file: export to another name")
    return key


def _listed(source: Path, path: Path, beside: Path) -> pd.DataFrame:
    """Read a SID list, once: it may be a pipe. One of no calls is what a failed query leaves."""
    keys = list(read_sids(source))
    if not keys:
        raise CommandError(f"{str(source)!r} names no call: it should list one SID or more")
    check_list_apart(source, path, beside)
    return pd.DataFrame(keys, columns=list(CallKey._fields))


def _report(exported: FetchResult, where: str, options: argparse.Namespace) -> int:
    """Say what came of it, and with which exit code."""
    note(f"{calls_counted(exported.calls)}{where}", quiet=options.quiet)
    _tell_changes(exported.price_changes)
    if exported.failures.empty:
        return 0
    counts = count_failures(exported.failures["reason"])
    beside = f"; see {exported.failures_path}" if where else ""
    return complain(f"{counts}{beside}", _SOME_FAILED if options.errors == "raise" else 0)


def _tell_changes(changes: pd.DataFrame) -> None:
    """Name each price that is no longer what the cache had: nobody else will."""
    for sid, old, new in changes.dropna(subset="old").itertuples(index=False):
        told = "none" if pd.isna(new) else f"{new:f}"
        complain(f"the price of {sid} was {old:f}, and is {told}", 0)


def _pour_out(calls: Path) -> None:
    """Write what an export has left: failures to standard error, calls to standard output."""
    failures = name_beside(calls, by_month=False)
    if failures.exists():
        sys.stderr.write(failures.read_text("utf-8"))
    if calls.exists():
        with calls.open("rb") as file:
            pour(file)
