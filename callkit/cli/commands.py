"""The commands besides ``export``: ``demo``, ``sandbox``, ``summary``, ``report`` and ``cache``."""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

import callkit
from callkit.breakdown.measures import KEYS
from callkit.calls import FetchResult, count_failures
from callkit.cli.arguments import (
    PAGES,
    Commands,
    add_calls,
    add_fetching,
    add_quiet,
    age,
    calls_counted,
    lines_of_standard_input,
    moment,
    number,
    progress,
    seconds,
)
from callkit.cli.streams import CommandError, note, say
from callkit.errors import FetchInterrupted, RunStoppedError
from callkit.files.paths import check_writable, holds
from callkit.files.replacing import writing
from callkit.paging import Pages
from callkit.sandbox import Sandbox
from callkit.sandbox.draws import AS_OF
from callkit.sandbox.sandbox import serve_until_stopped
from callkit.schema import ATTRIBUTES

_SAMPLE = Path("data/sample_sids.txt")
_FILES = ("calls.parquet", "cost.parquet", "duration.parquet", "cost.png", "duration.png")
_PERSONAL = [column.name for column in (*ATTRIBUTES, *KEYS) if column.personal]


def add_demo(commands: Commands) -> None:
    demo = commands.add_parser(
        "demo",
        help="fetch, break down, chart and save sample calls",
        description="Fetch synthetic calls from a sandbox on this machine, or your own calls with "
        "--sids; print the breakdowns of cost and duration, and save Parquet files and charts.",
        epilog="example: callkit demo --out report",
    )
    demo.add_argument(
        "--sids",
        type=Path,
        metavar="FILE",
        help="a SID list (text, CSV or Parquet) of your account; credentials are read from "
        "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or TWILIO_API_KEY and TWILIO_API_SECRET",
    )
    demo.add_argument(
        "-o",
        "--out",
        type=Path,
        default=Path("callkit-demo"),
        metavar="FOLDER",
        help="output folder (default: %(default)s)",
    )
    add_fetching(demo)
    demo.set_defaults(run=_demo, parser=demo)


def _demo(options: argparse.Namespace) -> None:
    if options.date_column is not None and options.sids is None:
        raise CommandError("--date-column needs --sids")
    run_demo(
        options.sids,
        options.out,
        concurrency=options.concurrency,
        pages=PAGES[options.pages],
        date_column=options.date_column,
        progress=progress(options),
    )


def run_demo(
    sids: Path | None,
    folder: Path,
    *,
    concurrency: int = 25,
    pages: Pages = "auto",
    date_column: str | None = None,
    progress: bool | None = None,
) -> None:
    """Fetch, break down, chart and save calls, and print the results.

    A SID list is fetched with the credentials of the environment; without one, a sample list is
    fetched from a sandbox. Calls fetched before an early end are saved too.
    """
    from callkit.report import places_in, save

    if sids is not None and any(holds(folder / name, sids) for name in _FILES):
        raise CommandError(
            "cannot write the demo to this folder: it would replace the SID list "
            f"{str(sids)!r}. Choose another folder"
        )
    places_in(folder, _FILES)
    with ExitStack() as stack:
        if sids is None:
            sandbox = stack.enter_context(Sandbox(calls=10_000, seed=7, latency=0.02))
            client = stack.enter_context(sandbox.client(concurrency=concurrency))
            sids = _SAMPLE if _SAMPLE.exists() else _write_sample(sandbox, folder)
        else:
            client = stack.enter_context(callkit.Client(concurrency=concurrency))
        say(f"Fetching the calls of {sids} from {client.base_url}")
        with _saved_if_ended_early(folder / "calls.parquet"):
            got = callkit.collect(
                sids, client=client, pages=pages, date_column=date_column, progress=progress
            )
    callkit.to_parquet(got.frame, folder / "calls.parquet")
    _print_counts(got)
    cost = callkit.cost_breakdown(got.frame, by="direction")
    duration = callkit.duration_breakdown(got.frame, by="direction")
    _print_table("Connectivity cost by direction", cost, keys=["direction", "price_unit"])
    _print_table("Duration by direction", duration, keys=["direction"])
    weekly = callkit.cost_breakdown(got.frame, by="direction", freq="W")
    save(
        folder,
        {"cost": cost, "duration": duration},
        {"cost": (callkit.charts.cost, weekly), "duration": (callkit.charts.duration, got.frame)},
    )
    say(f"\nFiles written to {folder.resolve()}:", *(f"  {name}" for name in _FILES))


def sample_sids(sandbox: Sandbox) -> list[str]:
    """Make the sample list: 1,000 SIDs, three of which do not exist."""
    known, unknown = sandbox.sids(997), sandbox.unknown_sids(3)
    return [*known[:300], unknown[0], *known[300:800], *unknown[1:], *known[800:]]


def _write_sample(sandbox: Sandbox, folder: Path) -> Path:
    path = folder / _SAMPLE.name
    sample = "\n".join(sample_sids(sandbox)) + "\n"
    if check_writable(path).exists() and path.read_bytes() != sample.encode():
        raise CommandError(
            f"cannot write the demo to this folder: it would replace {str(path)!r}, which is not "
            "the demo's own. Choose another folder"
        )
    with writing(path) as part:
        part.write_text(sample, encoding="ascii", newline="\n")
    return path


@contextmanager
def _saved_if_ended_early(calls_file: Path) -> Iterator[None]:
    """Save the calls that were fetched if the run ends early."""
    try:
        yield
    except (RunStoppedError, FetchInterrupted) as stop:
        if not stop.frame.empty:
            callkit.to_parquet(stop.frame, calls_file)
            say(f"\n{len(stop.frame):,} calls were fetched and saved to {calls_file.resolve()}.")
        raise


def _print_counts(got: FetchResult) -> None:
    fetched = f"\n{len(got.frame):,} calls fetched"
    if got.failures.empty:
        say(f"{fetched}.")
        return
    say(f"{fetched}, and {count_failures(got.failures['reason'])}:")
    say(got.failures[["sid", "reason", "http_status", "code"]].to_string(index=False))


def _print_table(title: str, frame: pd.DataFrame, keys: list[str]) -> None:
    """Print a transposed breakdown, since there are more measures than groups."""
    upright = frame.set_index(keys).map(_cell).T
    upright.columns.names = [None] * len(keys)
    # pandas marks each line of a table that goes on below with a backslash.
    lines = upright.to_string(line_width=80).splitlines()
    say(f"\n{title}", *(line.rstrip(" \\") for line in lines))


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "-"
    if isinstance(value, pd.Timedelta):
        minutes, rest = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def add_sandbox(commands: Commands) -> None:
    sandbox = commands.add_parser(
        "sandbox",
        help="serve synthetic calls on this machine",
        description="Serve Twilio's API for synthetic calls on 127.0.0.1 until interrupted. It "
        "fetches a call, and lists the calls of an account and the accounts.",
        epilog="example: callkit sandbox --port 8080 --calls 100000 --latency 0.05 --limit 40",
    )
    add = sandbox.add_argument
    add("--port", type=number(0, 65_535), default=8080, help="port (default: %(default)s)")
    add("--calls", type=number(1), default=10_000, help="number of calls (default: %(default)s)")
    add("--seed", type=number(0), default=7, help="seed of the calls (default: %(default)s)")
    add("--latency", type=seconds, default=0.0, help="seconds per response (default: %(default)s)")
    add("--limit", type=number(1), help="requests in flight above which the server answers 429")
    add("--retry-after", type=number(0), help="Retry-After of a 429, in seconds (default: none)")
    add(
        "--now",
        type=moment,
        default=AS_OF,
        metavar="TIME",
        help="the sandbox's present time, in UTC unless it has an offset (default: 2025-04-01)",
    )
    sandbox.set_defaults(run=_sandbox, parser=sandbox)


def _sandbox(options: argparse.Namespace) -> None:
    sandbox = Sandbox(
        port=options.port,
        calls=options.calls,
        seed=options.seed,
        latency=options.latency,
        limit=options.limit,
        retry_after=options.retry_after,
        now=options.now,
    )
    serve_until_stopped(sandbox, announce=say)


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
            f"{str(source)!r}. Choose another folder"
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
        help="print the number, accounts and age of the calls, and the file size",
        description="Print how many calls a cache has, how many of them are final (not requested "
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
        "byte of the call in the file. A later export that lists these calls fetches them again.",
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
        parties = lines_of_standard_input("numbers, one per line")
    try:
        erased = callkit.cache.erase(options.cache, parties)
    except ValueError as error:
        raise CommandError(str(error)) from None
    note(f"{calls_counted(erased)} erased from {options.cache}", quiet=options.quiet)
