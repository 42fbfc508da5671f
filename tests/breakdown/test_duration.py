"""duration_breakdown over calls whose figures are worked out by hand."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from callkit import duration_breakdown
from callkit.breakdown.measures import DURATION
from callkit.errors import FrameError
from callkit.schema import ARROW_TYPES
from tests.breakdown.synthetic import calls, in_plain_values

API = {"direction": "outbound-api"}

CALLS = calls(
    {**API, "duration": "10", "queue_time": "0", "price": "-0.01"},
    {**API, "duration": "61", "queue_time": "7", "price": "-0.02"},
    # answered, and not priced yet
    {**API, "duration": "30", "queue_time": "6000", "price": None},
    # completed without a second: it has ended, and nobody answered
    {**API, "duration": "0", "queue_time": None, "price": "0"},
    {**API, "status": "busy", "duration": "0", "queue_time": "2"},
    # up at the moment
    {**API, "status": "in-progress", "duration": None, "queue_time": "1"},
    {"direction": "inbound", "status": "no-answer", "duration": "0", "queue_time": "99"},
    {"direction": "inbound", "status": "queued"},
    {"direction": None, "status": None},
)


def test_a_case_worked_by_hand() -> None:
    assert in_plain_values(duration_breakdown(CALLS, "direction")) == [
        # one call has ended, unanswered; one waits; inbound calls have no queue of ours
        ("inbound", 2, 1, 0, 0.0, 0, None, None, None, None, 0, "0", 0, 0, None, None),
        # ended: 5 of 6, answered: 10, 61 and 30 s; 3 / 5 = 0.6; total 101 s, 101 / 3 = 33.6666… s;
        # rank ⌈0.5 · 3⌉ = 2 of 10, 30, 61 is 30 s, rank ⌈0.95 · 3⌉ = 3 is 61 s;
        # priced: 10, 61 and 0 s are 1 + 2 + 0 minutes, 180 - 71 = 109 s of them not spoken;
        # queue: 0, 1, 2, 7 and 6,000 ms: 6,010 / 5 = 1,202 ms, rank ⌈0.5 · 5⌉ = 3 is 2 ms
        ("outbound-api", 6, 5, 3, 0.6, 101, 33.667, 30, 61, 61, 3, "3", 109, 5, 1.202, 0.002),
        # neither direction nor status is known
        (None, 1, 0, 0, None, 0, None, None, None, None, 0, "0", 0, 0, None, None),
    ]


@pytest.mark.parametrize(
    ("waits", "average"),
    [(("0", "1"), 0.0), (("1", "2"), 0.002), (("0", "0", "2"), 0.001), (("0", "0", "1"), 0.0)],
)
def test_averages_are_rounded_half_even_to_the_millisecond(
    waits: tuple[str, ...], average: float
) -> None:
    frame = duration_breakdown(calls(*[{**API, "queue_time": wait} for wait in waits]))
    assert in_plain_values(frame[["average_queue_time"]]) == [(average,)]


@pytest.mark.parametrize(
    ("count", "median", "p95"), [(1, 1, 1), (2, 1, 2), (19, 10, 19), (20, 10, 19), (21, 11, 20)]
)
def test_percentiles_are_durations_that_occurred(count: int, median: int, p95: int) -> None:
    frame = duration_breakdown(calls(*[{"duration": f"{s}"} for s in range(count, 0, -1)]))
    assert in_plain_values(frame[["median_duration", "p95_duration"]]) == [(median, p95)]


def test_rounding_waste_follows_the_increment() -> None:
    frame = duration_breakdown(calls({"duration": "61", "price": "-1"}), increment=6)
    got = in_plain_values(frame[["billed_minutes", "rounding_waste"]])
    assert got == [("1.1", 5)]  # 66 s


def test_periods_and_keys_are_those_of_the_cost() -> None:
    frame = calls({"start": "2025-03-30T22:30:00+00:00"}, {})
    got = duration_breakdown(frame, "leg", freq="D", tz="Europe/Berlin")[["period", "leg", "calls"]]
    assert in_plain_values(got) == [("2025-03-31T00:00:00+02:00", "root", 1), (None, "root", 1)]


@pytest.mark.parametrize("rows", [0, 1, len(CALLS)])
def test_dtypes_do_not_depend_on_the_calls(rows: int) -> None:
    frame = duration_breakdown(CALLS[:rows], "direction")
    measures = frame[[column.name for column in DURATION]]
    arrow = pa.Table.from_pandas(measures, preserve_index=False)
    assert arrow.schema.types == [ARROW_TYPES[column.kind] for column in DURATION]
    assert frame["direction"].dtype == CALLS["direction"].dtype


def test_without_keys_there_is_one_row_and_none_without_calls() -> None:
    assert len(duration_breakdown(CALLS)) == 1
    assert len(duration_breakdown(CALLS[:0])) == 0


def test_durations_of_whole_seconds_are_as_good() -> None:
    seconds = CALLS.assign(duration=CALLS["duration"].astype("timedelta64[s]"))
    pd.testing.assert_frame_equal(duration_breakdown(seconds), duration_breakdown(CALLS))


def test_a_frame_without_the_columns_is_refused() -> None:
    with pytest.raises(
        FrameError, match=r"Missing columns: 'queue_time' \(was it read with columns=\?\)"
    ):
        duration_breakdown(CALLS.drop(columns="queue_time"))
