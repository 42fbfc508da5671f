"""The breakdowns in SQL, as DuckDB computes them straight from a Parquet file of calls.

It is written from the docstrings, and shares nothing with the code but the meaning.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import duckdb

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

Rows: TypeAlias = dict[tuple[object, ...], list[Any]]

LOCAL = "timezone('{tz}', start_time)"
INWARD = "direction IN ('inbound', 'trunking-originating')"
OUTWARD = "direction IN ('outbound-api', 'outbound-dial', 'trunking-terminating')"
OTHER = f"""CASE WHEN {INWARD} THEN "from" WHEN {OUTWARD} THEN "to" END"""
KEYS = {
    "leg": "CASE WHEN parent_call_sid IS NULL THEN 'root' ELSE 'child' END",
    "hour": f"hour({LOCAL})",
    "weekday": f"dayname({LOCAL})",
    "other_party": OTHER,
    "our_number": f"""CASE WHEN {INWARD} THEN "to" WHEN {OUTWARD} THEN "from" END""",
    "channel": f"""
        CASE WHEN direction LIKE 'trunking%' OR trunk_sid IS NOT NULL THEN 'trunk'
             WHEN {OTHER} LIKE 'sip:%' THEN 'sip' WHEN {OTHER} LIKE 'client:%' THEN 'client'
             WHEN {OTHER} LIKE 'sim:%' THEN 'sim' WHEN {OTHER} IS NOT NULL THEN 'pstn' END
    """,
}
# Each period's start on the local clock; an hour that the clock shows twice is told apart below.
CLOCK = {
    "h": f"date_trunc('hour', {LOCAL})",
    "6h": f"time_bucket(INTERVAL 6 HOUR, {LOCAL}, TIMESTAMP '1970-01-01')",
    "D": f"date_trunc('day', {LOCAL})",
    "2D": f"time_bucket(INTERVAL 2 DAY, {LOCAL}, TIMESTAMP '1970-01-01')",
    "W": f"date_trunc('week', {LOCAL})",
    "MS": f"date_trunc('month', {LOCAL})",
    "QS-FEB": f"time_bucket(INTERVAL 3 MONTH, {LOCAL}, TIMESTAMP '1970-02-01')",
    "YS": f"date_trunc('year', {LOCAL})",
}
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
TREES = """
    WITH RECURSIVE calls AS (SELECT * FROM read_parquet('{path}')),
    climbed (leg, top) AS (
        SELECT sid, coalesce(parent_call_sid, sid) FROM calls
        UNION SELECT leg, parent_call_sid FROM climbed JOIN calls ON sid = top
        WHERE parent_call_sid IS NOT NULL
    ),
    tops AS (
        SELECT leg, top FROM climbed
        WHERE top NOT IN (SELECT sid FROM calls WHERE parent_call_sid IS NOT NULL)
    )
    SELECT top, price_unit,
        CASE WHEN top IN (SELECT sid FROM calls) THEN 'present' ELSE 'absent' END,
        count(*),
        count(*) FILTER (status = 'completed' AND duration > 0),
        coalesce(sum(duration) FILTER (status = 'completed' AND duration > 0), 0)::BIGINT,
        count(price),
        count(*) FILTER (status = 'completed' AND price IS NULL),
        sum(-price),
        epoch_us(min(start_time)),
        CASE WHEN bool_or(status IN ('queued', 'ringing', 'in-progress')) THEN NULL
             ELSE epoch_us(max(end_time)) END
    FROM tops JOIN calls ON sid = leg GROUP BY top, price_unit
"""
IN_PROGRESS = """
    WITH calls AS (
        SELECT start_time AS begun, coalesce(end_time, known + INTERVAL 1 SECOND) AS ended
        FROM read_parquet('{path}'), (
            SELECT greatest(max(start_time), max(end_time)) AS known FROM read_parquet('{path}')
        )
        WHERE start_time IS NOT NULL
    ),
    marks AS (
        SELECT unnest(generate_series(
            (SELECT date_trunc('{unit}', timezone('{tz}', min(begun))) FROM calls),
            (SELECT timezone('{tz}', greatest(max(begun), max(ended) - INTERVAL 1 MICROSECOND))
             FROM calls),
            {step})) AS mark
    ),
    spans AS (
        SELECT epoch_us(timezone('{tz}', mark)) AS first,
               epoch_us(timezone('{tz}', mark + {step})) - first AS length
        FROM marks WHERE length > 0
    ),
    changes AS (
        SELECT moment, sum(change)::BIGINT AS change FROM (
            SELECT epoch_us(begun) AS moment, 1 AS change FROM calls
            UNION ALL SELECT epoch_us(ended), -1 FROM calls
            UNION ALL SELECT first, 0 FROM spans
        ) GROUP BY moment
    ),
    levels AS (
        SELECT moment, sum(change) OVER (ORDER BY moment)::BIGINT AS up,
               coalesce(lead(moment) OVER (ORDER BY moment), moment) - moment AS lasted
        FROM changes
    ),
    seconds AS (
        SELECT epoch_us(date_trunc('second', begun)) AS moment, count(*) AS started
        FROM calls GROUP BY moment
    ),
    rates AS (
        SELECT first, sum(started)::BIGINT AS started, max(started) AS fastest
        FROM seconds ASOF JOIN spans ON moment >= first GROUP BY first
    )
    SELECT first, coalesce(any_value(started), 0), max(up), sum(up * lasted)::BIGINT,
           any_value(length), coalesce(any_value(fastest), 0)
    FROM levels ASOF JOIN spans ON moment >= first LEFT JOIN rates USING (first)
    WHERE moment < first + length GROUP BY first
"""


def start_of(freq: str, tz: str) -> str:
    """Write when a call's period began, in microseconds since 1970."""
    clock = CLOCK[freq].format(tz=tz)
    if freq == "h":
        offset = f"({LOCAL.format(tz=tz)} - timezone('UTC', start_time))"
        return f"epoch_us({clock} - {offset})"
    return f"epoch_us(timezone('{tz}', {clock}))"


def ask(path: Path, measures: str, by: list[str], freq: str | None, tz: str) -> Rows:
    """Ask DuckDB for the measures of each group, by its keys."""
    keys = [KEYS.get(name, f'"{name}"').format(tz=tz) for name in by]
    if freq is not None:
        keys.insert(0, start_of(freq, tz))
    rows = run(
        f"SELECT {', '.join([*keys, measures])} FROM read_parquet('{path}') "
        f"GROUP BY {', '.join(keys) or '()'}"
    )
    return {row[: len(keys)]: list(row[len(keys) :]) for row in rows}


def run(query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(query).fetchall()


def mean(total: Any, count: Any, places: int) -> Decimal | None:
    """Divide exactly; Python rounds a fraction half-even."""
    if not count or total is None:
        return None
    quotient = Fraction(total) / Fraction(count)
    return Decimal(round(quotient * 10**places)).scaleb(-places)


def cost(path: Path, by: list[str], freq: str | None, tz: str) -> Rows:
    """What cost_breakdown should give."""
    expected = ask(path, COST, [*by, "price_unit"], freq, tz)
    for values in expected.values():
        *_, priced, _, _, _, _, total, seconds, largest = values
        per_minute = mean(total * 60 if total is not None else None, seconds, 8)
        values[-2:] = [mean(seconds, 60, 8), per_minute, mean(total, priced, 8), largest]
    return expected


def duration(path: Path, by: list[str], freq: str | None, tz: str) -> Rows:
    """What duration_breakdown should give."""
    expected = ask(path, DURATION, by, freq, tz)
    for values in expected.values():
        calls, ended, answered, total, median, p95, longest, priced, billed, waste = values[:10]
        queued, waited, median_wait = values[10:]
        ratio = answered / ended if ended else None
        values[:] = [calls, ended, answered, ratio, total, mean(total * 1000, answered, 0)]
        values += [median, p95, longest, priced, mean(billed, 60, 8), waste]
        values += [queued, mean(waited, queued, 0), median_wait]
    return expected


def trees(path: Path) -> Rows:
    """What roll_up should give."""
    return {row[:2]: list(row[2:]) for row in run(TREES.format(path=path))}


def in_progress(path: Path, unit: str, tz: str) -> Rows:
    """What calls_in_progress should give."""
    rows = run(IN_PROGRESS.format(path=path, tz=tz, unit=unit, step=f"INTERVAL 1 {unit}"))
    return {
        (start,): [started, peak, mean(time_up, length, 8), fastest]
        for start, started, peak, time_up, length, fastest in rows
    }


def rows_of(frame: pd.DataFrame, keys: int) -> Rows:
    """Read a frame the same way: instants in microseconds, durations in seconds or milliseconds.

    `keys` is how many columns are keys.
    """
    frame = frame.copy()
    for name, values in frame.items():
        kind = values.dtype.kind
        if kind == "M":
            counted = values.astype("int64").where(values.notna()).astype("Int64")
            frame[name] = counted
        if kind == "m":
            in_ms = "queue" in str(name) or "average" in str(name)
            counted = values.astype("int64").where(values.notna()).astype("Int64")
            frame[name] = counted // (1 if in_ms else 1000)
    plain = frame.astype(object).where(frame.notna(), None)
    return {tuple(row[:keys]): row[keys:] for row in map(list, plain.to_numpy())}
