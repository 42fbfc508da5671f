"""The commands that make synthetic calls: ``callkit demo`` and ``callkit sandbox``."""

import argparse
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd

import callkit
from callkit.calls import FetchResult, count_failures
from callkit.cli.arguments import CommandError, Commands, add_fetching, number, progress, seconds
from callkit.errors import FetchInterrupted, RunStoppedError
from callkit.files.paths import holds, writing
from callkit.sandbox import Sandbox

_SAMPLE = Path("data/sample_sids.txt")
_FILES = ("calls.parquet", "cost.parquet", "duration.parquet", "cost.png", "duration.png")


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
    run_demo(options.sids, options.out, concurrency=options.concurrency, progress=progress(options))


def run_demo(
    sids: Path | None, folder: Path, *, concurrency: int = 25, progress: bool | None = None
) -> None:
    """Fetch, break down, chart and save calls, and print the results.

    A SID list is fetched with the credentials of the environment; without one, a sample list is
    fetched from a sandbox. Calls fetched before an early end are saved too.
    """
    from callkit.report import places_in, save

    if sids is not None and any(holds(folder / name, sids) for name in _FILES):
        raise CommandError(
            "Cannot write the demo to this folder: it would replace the SID list "
            f"{str(sids)!r}. Name another folder"
        )
    places_in(folder, _FILES)
    with ExitStack() as stack:
        if sids is None:
            sandbox = stack.enter_context(Sandbox(calls=10_000, seed=7, latency=0.02))
            client = stack.enter_context(sandbox.client(concurrency=concurrency))
            sids = _SAMPLE if _SAMPLE.exists() else _write_sample(sandbox, folder)
        else:
            client = stack.enter_context(callkit.Client(concurrency=concurrency))
        print(f"Fetching the calls of {sids} from {client.base_url}")
        got = _collect(sids, client, folder / "calls.parquet", progress)
    _print_counts(got)
    cost = callkit.cost_breakdown(got.frame, by="direction")
    duration = callkit.duration_breakdown(got.frame, by="direction")
    _print_table("Connectivity cost by direction", cost, keys=["direction", "price_unit"])
    _print_table("Duration by direction", duration, keys=["direction"])
    weekly = callkit.cost_breakdown(got.frame, by="direction", freq="W")
    save(
        folder,
        {"calls": got.frame, "cost": cost, "duration": duration},
        {"cost": (callkit.charts.cost, weekly), "duration": (callkit.charts.duration, got.frame)},
    )
    print(f"\nFiles written to {folder.resolve()}:", *_FILES, sep="\n  ")


def sample_sids(sandbox: Sandbox) -> list[str]:
    """Make the sample list: 1,000 SIDs, three of which do not exist."""
    known, unknown = sandbox.sids(997), sandbox.unknown_sids(3)
    return [*known[:300], unknown[0], *known[300:800], *unknown[1:], *known[800:]]


def _write_sample(sandbox: Sandbox, folder: Path) -> Path:
    path = folder / _SAMPLE.name
    with writing(path) as part:
        part.write_text("\n".join(sample_sids(sandbox)) + "\n", encoding="ascii")
    return path


def _collect(
    sids: Path, client: callkit.Client, calls_file: Path, progress: bool | None
) -> FetchResult:
    """Collect calls; save those that were fetched if the run ends early."""
    try:
        return callkit.collect(sids, client=client, progress=progress)
    except (RunStoppedError, FetchInterrupted) as stop:
        if not stop.frame.empty:
            callkit.to_parquet(stop.frame, calls_file)
            print(f"\n{len(stop.frame):,} calls were fetched and saved to {calls_file.resolve()}.")
        raise


def _print_counts(got: FetchResult) -> None:
    print(f"\n{len(got.frame):,} calls fetched", end="")
    if got.failures.empty:
        print(".")
        return
    print(f", and {count_failures(got.failures['reason'])}:")
    print(got.failures[["sid", "reason", "http_status", "code"]].to_string(index=False))


def _print_table(title: str, frame: pd.DataFrame, keys: list[str]) -> None:
    """Print a transposed breakdown, since there are more measures than groups."""
    upright = frame.set_index(keys).map(_cell).T
    upright.columns.names = [None] * len(keys)
    # pandas marks each line of a table that goes on below with a backslash.
    lines = upright.to_string(line_width=80).splitlines()
    print(f"\n{title}", *(line.rstrip(" \\") for line in lines), sep="\n")


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
        description="Serve Twilio's Fetch Call endpoint for synthetic calls on 127.0.0.1 until "
        "interrupted.",
        epilog="example: callkit sandbox --port 8080 --calls 100000 --latency 0.05 --limit 40",
    )
    add = sandbox.add_argument
    add("--port", type=number(0, 65_535), default=8080, help="port (default: %(default)s)")
    add("--calls", type=number(1), default=10_000, help="number of calls (default: %(default)s)")
    add("--seed", type=number(0), default=7, help="seed of the calls (default: %(default)s)")
    add("--latency", type=seconds, default=0.0, help="seconds per response (default: %(default)s)")
    add("--limit", type=number(1), help="requests in flight above which it answers 429")
    add("--retry-after", type=number(0), help="Retry-After of a 429, in seconds (default: none)")
    sandbox.set_defaults(run=_sandbox, parser=sandbox)


def _sandbox(options: argparse.Namespace) -> None:
    callkit.sandbox.serve(
        port=options.port,
        calls=options.calls,
        seed=options.seed,
        latency=options.latency,
        limit=options.limit,
        retry_after=options.retry_after,
    )
