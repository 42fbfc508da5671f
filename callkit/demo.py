"""The whole way in one command: SIDs in; frame, Parquet and charts out."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure

from callkit import charts
from callkit.breakdown import cost_breakdown, duration_breakdown
from callkit.errors import ParquetError
from callkit.fetch import Client
from callkit.frame import collect, describe_failures
from callkit.parquet import to_parquet
from callkit.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from callkit.frame import Collected

__all__ = ["run_demo"]

_SAMPLE = Path("data/sample_sids.txt")
_CALLS, _SEED, _LATENCY = 10_000, 7, 0.02


def run_demo(sids: Path | None, folder: Path, *, progress: bool | None = None) -> None:
    """Fetch, type, price, chart and save, and print what came of it.

    Parameters
    ----------
    sids : Path or None
        A SID list to fetch with the environment's credentials; None: the sample list, from a
        sandbox that this starts.
    folder : Path
        Where the Parquet files and pictures go.
    progress : bool or None
        As for :func:`callkit.collect`.
    """
    _make(folder)
    with ExitStack() as stack:
        if sids is None:
            sandbox = stack.enter_context(Sandbox(calls=_CALLS, seed=_SEED, latency=_LATENCY))
            client = stack.enter_context(sandbox.client())
            sids = _SAMPLE if _SAMPLE.exists() else _write_sample(sandbox, folder)
        else:
            client = stack.enter_context(Client())
        print(f"Fetching the calls of {sids} from {client.base_url}")
        got = collect(sids, client=client, progress=progress)
    _report(got)
    cost = cost_breakdown(got.frame, by="direction")
    duration = duration_breakdown(got.frame, by="direction")
    _print_table("Connectivity cost by direction", cost, keys=["direction", "price_unit"])
    _print_table("Duration by direction", duration, keys=["direction"])
    written = [
        *(
            _save(folder / f"{name}.parquet", frame)
            for name, frame in [("calls", got.frame), ("cost", cost), ("duration", duration)]
        ),
        _draw(
            folder / "cost.png",
            lambda ax: charts.cost(cost_breakdown(got.frame, by="direction", freq="W"), ax=ax),
        ),
        _draw(folder / "duration.png", lambda ax: charts.duration(got.frame, ax=ax)),
    ]
    print(f"\nWritten to {folder.resolve()}:\n  " + "\n  ".join(path.name for path in written))


def sample_sids(sandbox: Sandbox) -> list[str]:
    """Make the sample list: a thousand SIDs, three of them of no call."""
    known, unknown = sandbox.sids(997), sandbox.unknown_sids(3)
    return [*known[:300], unknown[0], *known[300:800], *unknown[1:], *known[800:]]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise ParquetError(
            f"the output folder {str(folder)!r} cannot be written: {error.strerror or error}"
        ) from error


def _write_sample(sandbox: Sandbox, folder: Path) -> Path:
    path = folder / _SAMPLE.name
    path.write_text("\n".join(sample_sids(sandbox)) + "\n", encoding="ascii")
    return path


def _report(got: Collected) -> None:
    print(f"\n{len(got.frame):,} calls came", end="")
    if got.failures.empty:
        print(".")
        return
    print(f", and {describe_failures(got.failures['reason'].tolist())}:")
    print(got.failures[["sid", "reason", "status", "code"]].to_string(index=False))


def _print_table(title: str, frame: pd.DataFrame, keys: list[str]) -> None:
    """Print a breakdown turned on its side: there are more measures than groups."""
    upright = frame.set_index(keys).map(_cell).T
    upright.columns.names = [None] * len(keys)
    print(f"\n{title}\n{upright.to_string()}")


def _cell(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "-"
    if isinstance(value, pd.Timedelta):
        minutes, seconds = divmod(round(value.total_seconds()), 60)
        return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4f}"


def _save(path: Path, frame: pd.DataFrame) -> Path:
    to_parquet(frame, path)
    return path


def _draw(path: Path, chart: Callable[[Axes], object]) -> Path:
    figure = Figure(figsize=(10, 5.5), layout="constrained")
    chart(figure.subplots())
    figure.savefig(path, dpi=150)
    return path
