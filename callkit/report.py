"""A folder that can be handed on: tables, charts and a page about calls."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from callkit import charts
from callkit.breakdown import calls_in_progress, cost_breakdown, duration_breakdown, summary
from callkit.errors import ParquetError
from callkit.files import to_parquet
from callkit.files.paths import KEY, check_writable
from callkit.files.replacing import writing

FILES = (
    *("summary.txt", "cost.parquet", "duration.parquet", "cost.png", "duration.png"),
    *("status.png", "hours.png", "in_progress.png"),
)


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
    tables = {
        "cost": cost_breakdown(df, by, freq=freq, tz=tz),
        "duration": duration_breakdown(df, by, freq=freq, tz=tz),
    }
    pictures = {
        "cost": (charts.cost, tables["cost"]),
        "duration": (charts.duration, df),
        "status": (charts.status, duration_breakdown(df, "status", freq=freq, tz=tz)),
        "hours": (charts.heat_map, cost_breakdown(df, ["weekday", "hour"], tz=tz)),
        "in_progress": (charts.in_progress, calls_in_progress(df, freq=freq, tz=tz)),
    }
    files = places_in(folder, FILES)
    with writing(folder / "summary.txt") as part:
        part.write_text(f"{page}\n", encoding="utf-8")
    save(folder, tables, pictures)
    return files


def places_in(folder: Path, names: Sequence[str]) -> list[Path]:
    """Make a folder, and see that files can go there before there is something to write."""
    if any(folder.glob(f"{KEY}=*")):
        raise ParquetError(
            f"Refusing to write to {str(folder)!r}: it is a dataset by month, and other files "
            "in it would make it unreadable. Choose another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ParquetError(
            f"Cannot write to the folder {str(folder)!r}: {error.strerror or error}"
        ) from error
    files = [folder / name for name in names]
    for file in files:
        check_writable(file)
    return files


def save(
    folder: Path,
    tables: Mapping[str, pd.DataFrame],
    pictures: Mapping[str, tuple[Callable[..., Axes], pd.DataFrame]],
) -> None:
    """Save tables as Parquet, and charts of tables as PNG, each on a page of its own."""
    for name, table in tables.items():
        to_parquet(table, folder / f"{name}.parquet")
    for name, (chart, table) in pictures.items():
        figure = Figure(figsize=(10, 5.5), layout="constrained")
        chart(table, ax=figure.subplots())
        with writing(folder / f"{name}.png") as part:
            figure.savefig(part, format="png", dpi=150)
