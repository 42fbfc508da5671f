"""Both breakdowns against DuckDB, over the sandbox's calls in a Parquet file.

The SQL is written from the docstrings: it shares nothing with the code but the meaning.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb
import pytest

import callkit

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from callkit.sandbox import Sandbox

LOCAL = "timezone('{tz}', start_time)"
KEYS = {
    "leg": "CASE WHEN parent_call_sid IS NULL THEN 'root' ELSE 'child' END",
    "hour": f"hour({LOCAL})",
    "weekday": f"dayname({LOCAL})",
}
UNITS = {"D": "day", "W": "week", "MS": "month", "QS": "quarter", "YS": "year"}
BILLED = "(ceil(duration / 60.0) * 60)::BIGINT"  # of a call, in seconds

COST = f"""
    count(*),
    count(price),
    count(*) FILTER (status = 'completed' AND price IS NULL),
    coalesce(sum(duration) FILTER (status = 'completed' AND price IS NULL), 0)::BIGINT,
    sum(greatest(-price, 0)) FILTER (price IS NOT NULL),
    sum(greatest(price, 0)) FILTER (price IS NOT NULL),
    sum(-price),
    coalesce(sum({BILLED}) FILTER (price IS NOT NULL), 0)::BIGINT,
    max(-price)
"""
ANSWERED = "FILTER (status = 'completed' AND duration > 0)"
QUEUED = "FILTER (direction = 'outbound-api')"
DURATION = f"""
    count(*),
    count(*) FILTER (status IN ('completed', 'busy', 'failed', 'no-answer', 'canceled')),
    count(*) {ANSWERED},
    coalesce(sum(duration) {ANSWERED}, 0)::BIGINT,
    quantile_disc(duration, 0.5) {ANSWERED},
    quantile_disc(duration, 0.95) {ANSWERED},
    max(duration) {ANSWERED},
    count(price),
    coalesce(sum({BILLED}) FILTER (price IS NOT NULL), 0)::BIGINT,
    coalesce(sum({BILLED} - duration) FILTER (price IS NOT NULL), 0)::BIGINT,
    count(queue_time) {QUEUED},
    sum(queue_time) {QUEUED},
    quantile_disc(queue_time, 0.5) {QUEUED}
"""
CASES = [
    ([], None, "UTC"),
    (["direction"], "D", "UTC"),
    (["direction"], "D", "Europe/Berlin"),
    (["status", "leg"], "W", "America/New_York"),
    (["hour"], None, "Asia/Kolkata"),
    (["weekday", "leg"], "MS", "Europe/Berlin"),
    (["to"], None, "UTC"),
    (["answered_by"], "QS", "America/New_York"),
    ([], "YS", "Asia/Kolkata"),
]


@pytest.fixture(scope="module")
def path(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with sandbox.client() as client:
        frame = callkit.to_frame(sandbox.sid_frame(2_000), client=client)
    path = tmp_path_factory.mktemp("sql") / "calls.parquet"
    callkit.to_parquet(frame, path)
    return path


Rows: TypeAlias = dict[tuple[object, ...], list[Any]]


def ask(path: Path, measures: str, by: list[str], freq: str | None, tz: str) -> Rows:
    """Ask DuckDB for the measures of each group, by its keys."""
    keys = [KEYS.get(name, f'"{name}"').format(tz=tz) for name in by]
    if freq is not None:
        keys.insert(0, f"date_trunc('{UNITS[freq]}', {LOCAL.format(tz=tz)})::TIMESTAMP")
    with duckdb.connect() as connection:
        rows = connection.execute(
            f"SELECT {', '.join([*keys, measures])} FROM read_parquet('{path}') "
            f"GROUP BY {', '.join(keys) or '()'}"
        ).fetchall()
    return {row[: len(keys)]: list(row[len(keys) :]) for row in rows}


def rows_of(frame: pd.DataFrame) -> Rows:
    """Read a breakdown the same way: durations as int, the period on the local clock."""
    if "period" in frame:
        frame = frame.assign(period=frame["period"].dt.tz_localize(None))
    for name, values in frame.select_dtypes("timedelta").items():
        in_ms = "queue" in str(name) or "average" in str(name)
        counted = values.astype("int64").where(values.notna()).astype("Int64")
        frame[name] = counted // (1 if in_ms else 1000)
    keys = frame.columns.tolist().index("calls")
    plain = frame.astype(object).where(frame.notna(), None)
    return {tuple(row[:keys]): row[keys:] for row in map(list, plain.to_numpy())}


def mean(total: Any, count: Any, places: int) -> Decimal | None:
    """Divide exactly; Python rounds a fraction half-even."""
    if not count or total is None:
        return None
    quotient = Fraction(total) / Fraction(count)
    return Decimal(round(quotient * 10**places)).scaleb(-places)


@pytest.mark.parametrize(("by", "freq", "tz"), CASES)
def test_cost_is_what_sql_makes_of_the_file(
    path: Path, by: list[str], freq: str | None, tz: str
) -> None:
    expected = ask(path, COST, [*by, "price_unit"], freq, tz)
    for values in expected.values():
        *_, priced, _, _, _, _, cost, seconds, largest = values
        per_minute = mean(cost * 60 if cost is not None else None, seconds, 8)
        values[-2:] = [mean(seconds, 60, 8), per_minute, mean(cost, priced, 8), largest]

    frame = callkit.cost_breakdown(callkit.read_parquet(path), by, freq=freq, tz=tz)

    assert rows_of(frame) == expected


@pytest.mark.parametrize(("by", "freq", "tz"), CASES)
def test_duration_is_what_sql_makes_of_the_file(
    path: Path, by: list[str], freq: str | None, tz: str
) -> None:
    expected = ask(path, DURATION, by, freq, tz)
    for values in expected.values():
        calls, ended, answered, total, median, p95, longest, priced, billed, waste = values[:10]
        queued, waited, median_wait = values[10:]
        ratio = answered / ended if ended else None
        values[:] = [calls, ended, answered, ratio, total, mean(total * 1000, answered, 0)]
        values += [median, p95, longest, priced, mean(billed, 60, 8), waste]
        values += [queued, mean(waited, queued, 0), median_wait]

    frame = callkit.duration_breakdown(callkit.read_parquet(path), by, freq=freq, tz=tz)

    assert rows_of(frame) == expected
