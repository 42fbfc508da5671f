"""A folder that can be handed on: tables, charts and a page about calls."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from callkit import charts
from callkit.breakdown import calls_in_progress, cost_breakdown, duration_breakdown, summary
from callkit.errors import ParquetError
from callkit.files import to_parquet
from callkit.files.paths import KEY, check_writable, writing

FILES = (
    *("summary.txt", "cost.parquet", "duration.parquet", "cost.png", "duration.png"),
    *("status.png", "hours.png", "in_progress.png"),
)
_INCHES, _DOTS_PER_INCH = (10, 5.5), 150


def write_report(
    df: pd.DataFrame,
    folder: Path,
    *,
    by: Sequence[str] = ("direction",),
    freq: str = "W",
    tz: str = "UTC",
) -> list[Path]:
    """Write the summary of calls, their breakdowns and charts to a folder; return the files.

    Files of an earlier report are replaced. If `df` or a key is invalid, nothing is written.
    """
    page = summary(df, freq=freq, tz=tz)
    cost = cost_breakdown(df, by, freq=freq, tz=tz)
    duration = duration_breakdown(df, by, freq=freq, tz=tz)
    statuses = duration_breakdown(df, "status", freq=freq, tz=tz)
    hours = cost_breakdown(df, ["weekday", "hour"], tz=tz)
    in_progress = calls_in_progress(df, freq=freq, tz=tz)
    files = places_in(folder, FILES)
    with writing(folder / "summary.txt") as part:
        part.write_text(f"{page}\n", encoding="utf-8")
    to_parquet(cost, folder / "cost.parquet")
    to_parquet(duration, folder / "duration.parquet")
    draw(folder / "cost.png", charts.cost, cost)
    draw(folder / "duration.png", charts.duration, df)
    draw(folder / "status.png", charts.status, statuses)
    draw(folder / "hours.png", charts.heat_map, hours)
    draw(folder / "in_progress.png", charts.in_progress, in_progress)
    return files


def places_in(folder: Path, names: Sequence[str]) -> list[Path]:
    """Make a folder, and see that files can go there before there is something to write."""
    if any(folder.glob(f"{KEY}=*")):
        raise ParquetError(
            f"Refusing to write to {str(folder)!r}: it is a dataset by month, and other files "
            "in it would make it unreadable. Name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".writable").touch()
        (folder / ".writable").unlink()
    except OSError as error:
        raise ParquetError(
            f"Cannot write to the folder {str(folder)!r}: {error.strerror or error}"
        ) from error
    files = [folder / name for name in names]
    for file in files:
        check_writable(file)
    return files


def draw(path: Path, chart: Callable[..., Axes], table: pd.DataFrame) -> None:
    """Draw a chart of `table` on a page of its own, and save it as a picture."""
    figure = Figure(figsize=_INCHES, layout="constrained")
    chart(table, ax=figure.subplots())
    with writing(path) as part:
        figure.savefig(part, format="png", dpi=_DOTS_PER_INCH)
