"""Which calls a command is about: a SID list, the options of a date range, or files of calls."""

import argparse
from pathlib import Path

import pandas as pd

from callkit.bulk import BulkExport
from callkit.call_list import CallList
from callkit.cli.arguments import lines_of_standard_input
from callkit.cli.streams import CommandError
from callkit.files.paths import check_list_apart
from callkit.sids import CallKey, read_dated_sids, read_sids
from callkit.start_days import start_days

_RANGE = ("tz", "account", "status", "to", "from_", "parent")


def add_sids_or_range(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "sids",
        nargs="?",
        help="a SID list: a text, CSV or Parquet file, or - for standard input (one SID per line)",
    )
    group = command.add_argument_group(
        "date range, instead of a SID list",
        "such as --started 2025-03-01 2025-04-01 --tz Europe/Berlin",
    )
    group.add_argument(
        "--started",
        nargs="+",
        metavar=("FIRST", "AFTER"),
        help="calls that started from the first date or datetime up to, but not including, the "
        "second; or one of: today, yesterday, -3d (the three days before today), -2w (the 14 "
        "days before today), -1m (the last calendar month)",
    )
    group.add_argument("--tz", help="time zone of the range (default: UTC, by which Twilio bills)")
    group.add_argument(
        "--account",
        action="append",
        metavar="SID",
        help="list the calls of this account; can be repeated. The word all means the account and "
        "its subaccounts (default: the account that signs in)",
    )
    group.add_argument("--status", help="only calls with this status")
    group.add_argument(
        "--to",
        metavar="PARTY",
        help="only calls to this number in international form, such as +442079460000, or address",
    )
    group.add_argument(
        "--from", dest="from_", metavar="PARTY", help="only calls from this number or address"
    )
    group.add_argument("--parent", metavar="SID", help="only the legs that this call dialled")
    command.add_argument(
        "--bulk-export",
        nargs="+",
        metavar="PATH",
        help="Bulk Export files, instead of a SID list: files, folders or quoted patterns such as "
        "'exports/*.json.gz'; no credentials are needed",
    )


def calls_asked(
    options: argparse.Namespace, *written: Path
) -> CallList | BulkExport | list[str] | pd.DataFrame:
    """Return what to fetch or read; a list is read once, since it may be a pipe.

    It must not be one of the files `written`: the output, and the failures beside it.
    """
    if options.bulk_export is not None:
        return _files_asked(options)
    if options.started is not None:
        if options.sids is not None:
            raise CommandError("expected either a SID list or --started, not both")
        _check_no_list_options(options)
        return _range_asked(options)
    given = [name for name in _RANGE if getattr(options, name) is not None]
    if given:
        raise CommandError(f"--{given[0].rstrip('_')} needs --started")
    if options.sids is None:
        raise CommandError(
            "expected a SID list, a date range: --started FIRST AFTER, or files: --bulk-export PATH"
        )
    if options.sids == "-":
        if options.date_column is not None:
            raise CommandError(
                "--date-column needs a CSV, TSV or Parquet file: standard input has one SID per "
                "line"
            )
        return lines_of_standard_input("one SID per line")
    return _listed(Path(options.sids), written, options.date_column)


def _check_no_list_options(options: argparse.Namespace) -> None:
    given = {"--pages": options.pages != "auto", "--date-column": options.date_column is not None}
    for name, is_given in given.items():
        if is_given:
            raise CommandError(
                f"{name} cannot be combined with --started: it is for SID lists, and the days of a "
                "date range are always listed page by page"
            )


def _files_asked(options: argparse.Namespace) -> BulkExport:
    beside = {
        "a SID list": options.sids,
        "--started": options.started,
        **{f"--{name.rstrip('_')}": getattr(options, name) for name in _RANGE},
        "--cache": options.cache,
        "--refresh": options.refresh,
        "--pages": None if options.pages == "auto" else options.pages,
        "--date-column": options.date_column,
    }
    for what, given in beside.items():
        if given is not None:
            raise CommandError(
                f"--bulk-export cannot be combined with {what}: it reads all calls of the files"
            )
    return BulkExport(options.bulk_export)


def _range_asked(options: argparse.Namespace) -> CallList:
    accounts = options.account
    return CallList(
        started=options.started[0] if len(options.started) == 1 else options.started,
        tz=options.tz or "UTC",
        status=options.status,
        to=options.to,
        from_=options.from_,
        parent_call_sid=options.parent,
        account_sid="all" if accounts == ["all"] else accounts,
    )


def _listed(source: Path, written: tuple[Path, ...], date_column: str | None) -> pd.DataFrame:
    """Read the calls of a file. An empty list may come from a failed query."""
    if date_column is None:
        calls = pd.DataFrame(read_sids(source), columns=list(CallKey._fields))
    else:
        dated = read_dated_sids(source, date_column)
        calls = pd.DataFrame(dated.keys, columns=list(CallKey._fields))
        calls[date_column] = calls["sid"].map(start_days(dated))
    if calls.empty:
        raise CommandError(f"{str(source)!r} contains no SIDs: expected at least one")
    if written:
        check_list_apart(source, *written)
    return calls
