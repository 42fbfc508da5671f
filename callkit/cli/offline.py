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


def _add_summary(commands: Commands) -> None:
    summary = commands.add_parser(
        "summary",
        help="print one page about calls that were exported",
        description="Print one page about calls: how they ended, what they cost, the dearest, and "
        "what changed from one period to the next. It names no telephone number.",
        epilog="example: callkit summary calls.parquet --tz Europe/Berlin",
    )
    add_calls(summary)
    summary.set_defaults(run=_summary)


def _summary(options: argparse.Namespace) -> int:
    calls = callkit.read_parquet(options.calls)
    say(callkit.summary(calls, freq=options.freq, tz=options.tz))
    return 0


def _add_report(commands: Commands) -> None:
    report = commands.add_parser(
        "report",
        help="leave a folder of tables and charts about calls that were exported",
        description="Leave a folder that can be handed on: the summary as text, the breakdowns of "
        "cost and duration as Parquet, and charts of them as PNG. It names people, or their "
        f"numbers, with --by {', '.join(_PERSONAL[:-1])} or {_PERSONAL[-1]}; else it names nobody.",
        epilog="example: callkit report calls.parquet -o report --by country --freq M",
    )
    add_calls(report)
    report.add_argument(
        "-o", "--out", type=Path, required=True, metavar="FOLDER", help="where to leave them"
    )
    report.add_argument(
        "--by",
        action="append",
        metavar="KEY",
        help="what to break down by: direction (unless you say otherwise), country, number_type, "
        "channel, status, hour, weekday or another column; may be given several times",
    )
    add_quiet(report)
    report.set_defaults(run=_report)


def _report(options: argparse.Namespace) -> int:
    from callkit.report import FILES, write_report

    source, folder = options.calls, options.out
    # Not over the calls, nor in between the files of a folder of them.
    if holds(source, folder) or any(holds(folder / name, source) for name in FILES):
        raise CommandError(
            f"{str(source)!r} holds the calls, and the report would be written over them or among "
            "them: name another folder"
        )
    calls = callkit.read_parquet(source)
    files = write_report(
        calls, folder, by=options.by or ["direction"], freq=options.freq, tz=options.tz
    )
    names = ", ".join(file.name for file in files)
    note(f"written to {folder}: {names}", quiet=options.quiet)
    return 0


def _add_cache(commands: Commands) -> None:
    cache = commands.add_parser(
        "cache",
        help="look after a cache: info, prune, erase",
        description="Look after a cache of calls, as callkit export --cache keeps it. It holds "
        "personal data.",
        epilog="example: callkit cache info calls.sqlite",
    )
    kinds = cache.add_subparsers(required=True, metavar="COMMAND")
    info = kinds.add_parser(
        "info",
        help="say how many calls it has, whose, how old, how large",
        description="Say how many calls a cache has, how many of them are settled (never asked for "
        "again), of which accounts, when they were fetched, and its size. No personal data.",
        epilog="example: callkit cache info calls.sqlite",
    )
    prune = kinds.add_parser(
        "prune",
        help="remove the calls that were fetched too long ago",
        description="Remove the calls that were fetched too long ago, and leave no byte of them in "
        "the file. What counts is when a call was fetched, not when it was made.",
        epilog="example: callkit cache prune calls.sqlite --older-than 90d",
    )
    erase = kinds.add_parser(
        "erase",
        help="erase the calls of a number, and every byte of them",
        description="Erase every call that names a number, however it is written there, and leave "
        "no byte of it in the file. A later export that lists these calls fetches them again.",
        epilog="example: callkit cache erase calls.sqlite - < number.txt",
    )
    for command, run in ((info, _info), (prune, _prune), (erase, _erase)):
        command.add_argument("cache", type=Path, metavar="CACHE", help="the cache's file")
        command.set_defaults(run=run)
    prune.add_argument(
        "--older-than", type=age, required=True, metavar="AGE", help="such as 90d, 12h or 4w"
    )
    erase.add_argument(
        "parties",
        nargs="+",
        metavar="NUMBER",
        help="+442079460000, say, or sip:user@host, or client:name; or - for standard input, one a "
        "line: an argument stays in the shell's history and shows in the list of processes",
    )
    for command in (prune, erase):
        add_quiet(command)


def _info(options: argparse.Namespace) -> int:
    say(callkit.cache.info(options.cache))
    return 0


def _prune(options: argparse.Namespace) -> int:
    removed = callkit.cache.prune(options.cache, options.older_than)
    note(f"{calls_counted(removed)} removed from {options.cache}", quiet=options.quiet)
    return 0


def _erase(options: argparse.Namespace) -> int:
    parties: list[str] = options.parties
    if parties == ["-"]:
        parties = lines_of_standard_input("numbers, one a line")
    try:
        erased = callkit.cache.erase(options.cache, parties)
    except ValueError as error:
        raise CommandError(str(error)) from None
    note(f"{calls_counted(erased)} erased from {options.cache}", quiet=options.quiet)
    return 0


ADD_TO = (_add_summary, _add_report, _add_cache)
