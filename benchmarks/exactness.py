"""Is every figure exact? The breakdowns beside DuckDB over the same Parquet file of calls.

Run it as ``python -m benchmarks.exactness`` (``--calls 200000``). For each `by` and `freq` of the
list, in three time zones, every figure must equal SQL's to the last digit; it stops at the first
that does not.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import callkit
from callkit.breakdown import calls_in_progress, roll_up
from tests.breakdown import sql
from tests.breakdown.synthetic import sandbox_calls

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu")
FREQS = (None, "h", "6h", "D", "2D", "W", "MS", "QS-FEB", "YS")
BYS: tuple[list[str], ...] = (
    [],
    ["direction"],
    ["status", "leg"],
    ["channel"],
    ["hour", "weekday"],
    ["our_number"],
    ["account_sid", "answered_by"],
    ["other_party"],
)
UNITS = {"h": "hour", "D": "day", "MS": "month"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=200_000)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "calls.parquet"
        callkit.to_parquet(sandbox_calls(options.calls), path)
        print(f"{options.calls:,} calls, {path.stat().st_size / 1e6:.0f} MB of Parquet")
        compare(path)


def compare(path: Path) -> None:
    df = callkit.read_parquet(path)
    figures = 0
    for by, freq, tz in product(BYS, FREQS, ZONES):
        for breakdown, in_sql in (
            (callkit.cost_breakdown, sql.cost),
            (callkit.duration_breakdown, sql.duration),
        ):
            got = breakdown(df, by, freq=freq, tz=tz)
            keys = got.columns.tolist().index("calls")
            figures += _same(
                sql.rows_of(got, keys),
                in_sql(path, by, freq, tz),
                f"{breakdown.__name__} by {by}, freq {freq}, {tz}",
            )
    for (freq, unit), tz in product(UNITS.items(), ZONES):
        figures += _same(
            sql.rows_of(calls_in_progress(df, freq=freq, tz=tz), 1),
            sql.in_progress(path, unit, tz),
            f"calls_in_progress, {freq}, {tz}",
        )
    figures += _same(sql.rows_of(roll_up(df), 2), sql.trees(path), "roll_up")
    print(f"all {figures:,} figures equal what SQL computes")


def _same(got: sql.Rows, wanted: sql.Rows, what: str) -> int:
    if got != wanted:
        wrong = next(key for key in {**got, **wanted} if got.get(key) != wanted.get(key))
        raise SystemExit(f"{what}: at {wrong} {got.get(wrong)} should be {wanted.get(wrong)}")
    return sum(map(len, got.values()))


if __name__ == "__main__":
    main()
