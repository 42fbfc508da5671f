"""charts.in_progress: how many calls were up at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

from callkit import calls_in_progress, charts, cost_breakdown
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls
from tests.charts.artists import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CALLS = calls(
    {"start": "2025-03-01T09:00:00+00:00", "end": "2025-03-01T09:30:00+00:00"},
    {"start": "2025-03-01T09:00:00+00:00", "end": "2025-03-01T10:15:00+00:00"},
    {"start": "2025-03-01T12:00:00+00:00", "end": "2025-03-01T12:30:00+00:00"},
)
HOURS = calls_in_progress(CALLS, freq="h", tz="Asia/Kolkata")


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def steps(ax: Axes) -> dict[str, StepPatch]:
    return {str(patch.get_label()): patch for patch in ax.patches if isinstance(patch, StepPatch)}


def test_peak_and_mean_of_each_period_are_those_of_the_table(ax: Axes) -> None:
    assert charts.in_progress(HOURS, ax=ax) is ax
    drawn = steps(ax)
    assert drawn["peak of the period"].get_data()[0].tolist() == [2, 1, 0, 1]
    means = HOURS["mean_in_progress"].astype("float64").tolist()
    assert drawn["mean of the period"].get_data()[0].tolist() == means


def test_each_period_lasts_until_the_next(ax: Axes) -> None:
    charts.in_progress(HOURS, ax=ax)
    edges = steps(ax)["peak of the period"].get_data()[1]
    first = mdates.date2num(pd.Timestamp("2025-03-01T08:30:00"))  # type: ignore[no-untyped-call]
    assert edges == pytest.approx(first + np.arange(5) / 24)
    assert ax.get_xlim() == pytest.approx((edges[0], edges[-1]))


def test_title_axes_and_notes_say_what_is_seen_and_what_is_not(ax: Axes) -> None:
    charts.in_progress(HOURS, ax=ax)
    assert ax.get_title() == "Calls in progress"
    assert ax.get_ylabel() == "calls up at once"
    assert ax.get_xlabel() == "start of the period (Asia/Kolkata)"
    assert words(ax) == ("calls in the frame only\nmost at once: 2 · most started in one second: 2")


def test_thousands_of_calls_are_separated(ax: Axes) -> None:
    many = HOURS.assign(peak_in_progress=HOURS["peak_in_progress"] * 1_000)
    charts.in_progress(many, ax=ax)
    assert any("," in label.get_text() for label in ax.get_yticklabels())
    assert "most at once: 2,000" in words(ax)


def test_one_period_is_dated_in_full(ax: Axes) -> None:
    charts.in_progress(calls_in_progress(CALLS[2:], freq="D"), ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2025-03-01"]
    assert steps(ax)["peak of the period"].get_data()[0].tolist() == [1]


def test_without_a_call_the_picture_says_so(ax: Axes) -> None:
    charts.in_progress(calls_in_progress(CALLS[:0], freq="h"), ax=ax)
    assert words(ax) == "calls in the frame only\nno call has started"


def test_nothing_global_is_touched(ax: Axes) -> None:
    before = dict(mpl.rcParams)
    charts.in_progress(HOURS, ax=ax)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.parametrize("wrong", [CALLS, cost_breakdown(CALLS, freq="h"), None])
def test_only_calls_in_progress_are_drawn(wrong: object) -> None:
    with pytest.raises(
        FrameError, match=r"for example callkit\.calls_in_progress\(df, freq=\.\.\.\)"
    ):
        charts.in_progress(wrong)  # type: ignore[arg-type]
