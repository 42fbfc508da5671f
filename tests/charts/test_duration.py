"""charts.duration: how long answered calls lasted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from callkit import charts, cost_breakdown, duration_breakdown
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls, in_plain_values
from tests.charts.artists import bars, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CALLS = calls(
    *[{"duration": f"{seconds}"} for seconds in (1, 2, 30, 30, 61, 600, 36_000)],
    {"duration": "0"},
    {"duration": "45", "status": "failed"},
    {"duration": None, "status": "in-progress"},
)


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def test_every_answered_call_is_in_the_bar_of_its_duration(ax: Axes) -> None:
    charts.duration(CALLS, ax=ax)
    counted = {
        seconds: sum(
            bar.get_height()
            for bar in bars(ax)
            if bar.get_x() <= seconds < bar.get_x() + bar.get_width()
        )
        for seconds in (1, 2, 30, 45, 61, 600, 36_000)
    }
    assert counted == {1: 1, 2: 1, 30: 2, 45: 0, 61: 1, 600: 1, 36_000: 1}
    assert sum(bar.get_height() for bar in bars(ax)) == 7


def test_bars_are_even_on_the_logarithmic_axis_but_for_whole_seconds(ax: Axes) -> None:
    charts.duration(CALLS, ax=ax)
    assert ax.get_xscale() == "log"
    widths = [bar.get_width() for bar in bars(ax)]
    assert widths == sorted(widths)
    assert all(width == round(width) for width in widths)


def test_median_and_p95_are_those_of_the_breakdown(ax: Axes) -> None:
    charts.duration(CALLS, ax=ax)
    expected = duration_breakdown(CALLS)[["median_duration", "p95_duration"]]
    lines = [line for line in ax.collections if isinstance(line, LineCollection)]
    places = [line.get_segments()[0][0][0] for line in lines]
    assert [tuple(places)] == in_plain_values(expected)
    labels = ax.get_legend_handles_labels()[1]
    assert labels == ["median 30 s", "95th percentile 10 h"]


def test_title_and_axes_say_what_is_seen(ax: Axes) -> None:
    charts.duration(CALLS, ax=ax)
    assert ax.get_title() == "Duration of answered calls"
    assert ax.get_xlabel() == "duration (logarithmic scale)"
    assert ax.get_ylabel() == "calls"
    assert words(ax) == "7 of 10 calls answered"


@pytest.mark.parametrize("seconds", [1, 2, 70, 4_000, 90_000])
def test_one_call_has_ticks_to_read_it_by(ax: Axes, seconds: int) -> None:
    charts.duration(calls({"duration": f"{seconds}"}), ax=ax)
    low, high = ax.get_xlim()
    assert [tick for tick in ax.get_xticks() if low <= tick <= high]


def test_without_an_answered_call_the_picture_says_so(ax: Axes) -> None:
    charts.duration(CALLS[:0], ax=ax)
    assert words(ax) == "0 of 0 calls answered\nno call was answered"


def test_nothing_global_is_touched(ax: Axes) -> None:
    before = dict(mpl.rcParams)
    assert charts.duration(CALLS, ax=ax) is ax
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_only_calls_are_drawn() -> None:
    with pytest.raises(FrameError, match="Missing columns: 'status', 'duration'"):
        charts.duration(cost_breakdown(CALLS))


def test_a_call_that_stands_twice_is_refused() -> None:
    once = calls({"status": "completed", "duration": "60"})
    with pytest.raises(FrameError, match="more than once"):
        charts.duration(pd.concat([once, once]))
