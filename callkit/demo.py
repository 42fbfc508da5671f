"""The demo: SIDs in; DataFrame, Parquet and charts out."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd

from callkit import charts
from callkit.breakdown import cost_breakdown, duration_breakdown
from callkit.calls import FetchResult, collect, count_failures
from callkit.errors import FetchInterrupted, ParquetError, RunStoppedError
from callkit.fetch import Client
from callkit.files import to_parquet
from callkit.files.paths import holds, writing
from callkit.report import draw, places_in
from callkit.sandbox import Sandbox

_SAMPLE = Path("data/sample_sids.txt")
_CALLS, _SEED, _LATENCY = 10_000, 7, 0.02
_WIDTH = 80
_FILES = ("calls.parquet", "cost.parquet", "duration.parquet", "cost.png", "duration.png")


def run_demo(
    sids: Path | None, folder: Path, *, concurrency: int = 25, progress: bool | None = None
) -> None:
    """Fetch, break down, chart and save calls, and print the results.

    A SID list is fetched with the credentials of the environment; without one, a sample list is
    fetched from a sandbox. Calls fetched before an early end are saved too.
    """
    if sids is not None:
        _check_apart(sids, folder)
    files = places_in(folder, _FILES)
    with ExitStack() as stack:
        if sids is None:
            sandbox = stack.enter_context(Sandbox(calls=_CALLS, seed=_SEED, latency=_LATENCY))
            client = stack.enter_context(sandbox.client(concurrency=concurrency))
            sids = _SAMPLE if _SAMPLE.exists() else _write_sample(sandbox, folder)
        else:
            client = stack.enter_context(Client(concurrency=concurrency))
        print(f"Fetching the calls of {sids} from {client.base_url}")
        got = _collect(sids, client, files[0], progress)
    _report(got)
    cost = cost_breakdown(got.frame, by="direction")
    duration = duration_breakdown(got.frame, by="direction")
    _print_table("Connectivity cost by direction", cost, keys=["direction", "price_unit"])
    _print_table("Duration by direction", duration, keys=["direction"])
    calls_file, cost_file, duration_file, cost_picture, duration_picture = files
    to_parquet(got.frame, calls_file)
    to_parquet(cost, cost_file)
    to_parquet(duration, duration_file)
    weekly = cost_breakdown(got.frame, by="direction", freq="W")
    draw(cost_picture, charts.cost, weekly)
    draw(duration_picture, charts.duration, got.frame)
    print(f"\nFiles written to {folder.resolve()}:\n  " + "\n  ".join(_FILES))


def _check_apart(sids: Path, folder: Path) -> None:
    if any(holds(folder / name, sids) for name in _FILES):
        raise ParquetError(
            "Cannot write the demo to this folder: it would replace the SID list "
            f"{str(sids)!r}. Name another folder"
        )


def sample_sids(sandbox: Sandbox) -> list[str]:
    """Make the sample list: 1,000 SIDs, three of which do not exist."""
    known, unknown = sandbox.sids(997), sandbox.unknown_sids(3)
    return [*known[:300], unknown[0], *known[300:800], *unknown[1:], *known[800:]]


def _collect(sids: Path, client: Client, calls_file: Path, progress: bool | None) -> FetchResult:
    """Collect calls; save those that were fetched if the run ends early."""
    try:
        return collect(sids, client=client, progress=progress)
    except (RunStoppedError, FetchInterrupted) as stop:
        if not stop.frame.empty:
            to_parquet(stop.frame, calls_file)
            print(f"\n{len(stop.frame):,} calls were fetched and saved to {calls_file.resolve()}.")
        raise


def _write_sample(sandbox: Sandbox, folder: Path) -> Path:
    path = folder / _SAMPLE.name
    with writing(path) as part:
        part.write_text("\n".join(sample_sids(sandbox)) + "\n", encoding="ascii")
    return path


def _report(got: FetchResult) -> None:
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
    lines = upright.to_string(line_width=_WIDTH).splitlines()
    print(f"\n{title}", *(line.rstrip(" \\") for line in lines), sep="\n")


def _cell(value: Any) -> str:
    if pd.isna(value):
        return "-"
    if isinstance(value, pd.Timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"
