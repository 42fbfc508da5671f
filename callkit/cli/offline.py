"""The commands that send no request: ``callkit summary``, ``report`` and ``cache``."""

import argparse
from pathlib import Path

import callkit
from callkit.breakdown.measures import KEYS
from callkit.cli.arguments import (
    CommandError,
    Commands,
    add_calls,
    add_quiet,
    age,
    calls_counted,
    lines_of_standard_input,
    note,
    say,
)
from callkit.files.paths import holds
from callkit.schema import ATTRIBUTES

_PERSONAL = [column.name for column in (*ATTRIBUTES, *KEYS) if column.personal]


def add_summary(commands: Commands) -> None:
    summary = commands.add_parser(
        "summary",
        help="print a one-page overview of exported calls",
        description="Print a one-page overview of calls: outcomes, cost, most expensive calls and "
        "destinations, and changes between periods. It contains no telephone numbers.",
        epilog="example: callkit summary calls.parquet --tz Europe/Berlin",
    )
    add_calls(summary)
    summary.set_defaults(run=_summary, parser=summary)


def _summary(options: argparse.Namespace) -> None:
    say(callkit.summary(callkit.read_parquet(options.calls), freq=options.freq, tz=options.tz))


def add_report(commands: Commands) -> None:
    report = commands.add_parser(
        "report",
        help="write tables and charts about exported calls to a folder",
        description="Write a report to a folder: the summary as text, the breakdowns of cost and "
        "duration as Parquet, and charts as PNG. It contains no personal data, unless you pass "
        f"--by {', '.join(_PERSONAL[:-1])} or {_PERSONAL[-1]}.",
        epilog="example: callkit report calls.parquet -o report --by country --freq M",
    )
    add_calls(report)
    report.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FOLDER", help="output folder"
    )
    report.add_argument(
        "--by",
        action="append",
        metavar="KEY",
        help="key to break down by: direction (the default), country, number_type, channel, "
        "status, hour, weekday or another column; can be repeated",
    )
    add_quiet(report)
    report.set_defaults(run=_report, parser=report)


def _report(options: argparse.Namespace) -> None:
    from callkit.report import FILES, write_report

    source, folder = options.calls, options.out
    # Neither over the calls nor among the files of a folder of calls.
    if holds(source, folder) or any(holds(folder / name, source) for name in FILES):
        raise CommandError(
            "cannot write the report to this folder: it would replace files of "
            f"{str(source)!r}. Name another folder"
        )
    calls = callkit.read_parquet(source)
    files = write_report(
        calls, folder, by=options.by or ["direction"], freq=options.freq, tz=options.tz
    )
    note(f"Wrote {', '.join(file.name for file in files)} to {folder}", quiet=options.quiet)


def add_cache(commands: Commands) -> None:
    cache = commands.add_parser(
        "cache",
        help="manage a cache: info, prune, erase",
        description="Manage a cache made by callkit export --cache. It contains personal data.",
        epilog="example: callkit cache info calls.sqlite",
    )
    kinds = cache.add_subparsers(required=True, metavar="COMMAND")
    info = kinds.add_parser(
        "info",
        help="print number, accounts and age of the calls, and the size",
        description="Print how many calls a cache has, how many of them are final (never requested "
        "again), their accounts, when they were fetched, and the size of the file.",
        epilog="example: callkit cache info calls.sqlite",
    )
    prune = kinds.add_parser(
        "prune",
        help="remove calls fetched before a given time",
        description="Remove the calls that were fetched longer ago than --older-than, and every "
        "byte of them in the file. What counts is when a call was fetched, not when it was made.",
        epilog="example: callkit cache prune calls.sqlite --older-than 90d",
    )
    erase = kinds.add_parser(
        "erase",
        help="erase all calls that involve a number",
        description="Erase every call that contains a number, however it is written, and every "
        "byte of it in the file. A later export that lists these calls fetches them again.",
        epilog="example: callkit cache erase calls.sqlite - < number.txt",
    )
    for command, run in ((info, _info), (prune, _prune), (erase, _erase)):
        command.add_argument("cache", type=Path, metavar="CACHE", help="the cache file")
        command.set_defaults(run=run, parser=command)
    prune.add_argument(
        "--older-than", type=age, required=True, metavar="AGE", help="for example 90d, 12h or 4w"
    )
    erase.add_argument(
        "parties",
        nargs="+",
        metavar="NUMBER",
        help="for example +442079460000, sip:user@host or client:name; or - to read one per line "
        "from standard input, since arguments are visible in the shell history and process list",
    )
    for command in (prune, erase):
        add_quiet(command)


def _info(options: argparse.Namespace) -> None:
    say(callkit.cache.info(options.cache))


def _prune(options: argparse.Namespace) -> None:
    removed = callkit.cache.prune(options.cache, options.older_than)
    note(f"{calls_counted(removed)} removed from {options.cache}", quiet=options.quiet)


def _erase(options: argparse.Namespace) -> None:
    parties: list[str] = options.parties
    if parties == ["-"]:
        parties = lines_of_standard_input("numbers, one a line")
    try:
        erased = callkit.cache.erase(options.cache, parties)
    except ValueError as error:
        raise CommandError(str(error)) from None
    note(f"{calls_counted(erased)} erased from {options.cache}", quiet=options.quiet)
