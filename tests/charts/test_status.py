"""charts.status: how calls ended, over time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from callkit import charts, cost_breakdown, duration_breakdown
from callkit.errors import FrameError
from callkit.schema import ATTRIBUTES
from tests.breakdown.synthetic import calls
from tests.charts.artists import layers, looks, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIRST, SECOND = "2025-03-01T12:00:00+00:00", "2025-03-02T12:00:00+00:00"
CALLS = calls(
    {"status": "busy", "start": FIRST},
    {"status": "completed", "start": FIRST},
    {"status": "completed", "start": FIRST, "price_unit": "EUR"},
    {"status": "completed", "start": SECOND, "direction": "inbound"},
    {"status": "queued"},
    {"status": "failed"},
)
(STATUSES,) = (column.vocabulary for column in ATTRIBUTES if column.name == "status")
EVERY = calls(*[{"status": status, "start": FIRST} for status in STATUSES])


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def heights(ax: Axes) -> dict[str, list[tuple[float, float]]]:
    """List from where to where the bars of each layer reach."""
    return {
        label: [(bar.base, bar.base + bar.height) for bar in drawn]
        for label, drawn in layers(ax).items()
    }


@pytest.mark.parametrize("breakdown", [duration_breakdown, cost_breakdown])
def test_calls_are_stacked_by_status(ax: Axes, breakdown: object) -> None:
    daily = breakdown(CALLS, ["status", "direction"], freq="D", margins=True)  # type: ignore[operator]
    assert charts.status(daily, ax=ax) is ax
    assert heights(ax) == {"completed": [(0, 2), (0, 1)], "busy": [(2, 3)]}


def test_title_axes_and_note_say_what_is_seen(ax: Axes) -> None:
    charts.status(duration_breakdown(CALLS, "status", freq="D", tz="Europe/Berlin"), ax=ax)
    assert ax.get_title() == "Calls by status"
    assert ax.get_ylabel() == "calls"
    assert ax.get_xlabel() == "start of the period (Europe/Berlin)"
    assert words(ax) == "6 calls · calls that never started, not drawn: 2"


def test_a_status_looks_the_same_in_every_picture_and_style() -> None:
    alone = charts.status(duration_breakdown(CALLS[:1], "status", freq="D"), ax=Figure().subplots())
    with plt.style.context("ggplot"):
        ax = charts.status(duration_breakdown(EVERY, "status", freq="D"), ax=Figure().subplots())
    assert looks(alone) == {"busy": looks(ax)["busy"]}


def test_all_eight_are_told_apart_without_colours(ax: Axes) -> None:
    charts.status(duration_breakdown(EVERY, "status", freq="D"), ax=ax)
    grey = [
        (round(float(to_rgb(colour) @ np.array([0.2126, 0.7152, 0.0722])) * 6), hatch)
        for colour, hatch in looks(ax).values()
    ]
    assert len(set(grey)) == len(STATUSES)


def test_statuses_that_nobody_foresaw_are_not_lost(ax: Axes) -> None:
    odd = calls(
        {"status": "teleported", "start": FIRST},
        {"status": "answered", "start": FIRST},
        {"status": None, "start": FIRST},
    )
    charts.status(duration_breakdown(odd, "status", freq="D"), ax=ax)
    assert heights(ax) == {"other: answered, teleported": [(0, 2)], "(none)": [(2, 3)]}


def test_a_status_written_like_a_missing_one_is_told_apart(ax: Axes) -> None:
    odd = calls({"status": "(none)", "start": FIRST}, {"status": None, "start": FIRST})
    charts.status(duration_breakdown(odd, "status", freq="D"), ax=ax)
    assert heights(ax) == {"other: (none)": [(0, 1)], "(none)": [(1, 2)]}


def test_thousands_of_calls_are_separated_and_never_halved(ax: Axes) -> None:
    daily = duration_breakdown(CALLS, "status", freq="D")
    charts.status(daily.assign(calls=daily["calls"] * 1_000), ax=ax)
    assert any("," in label.get_text() for label in ax.get_yticklabels())
    single = charts.status(daily[:1], ax=Figure().subplots())
    assert all(tick == round(tick) for tick in single.get_yticks())


def test_ticks_stay_few_over_400_days(ax: Axes) -> None:
    starts = pd.date_range("2024-01-01", periods=400, tz="UTC")
    frame = calls(*[{"start": start.isoformat()} for start in starts])
    charts.status(duration_breakdown(frame, "status", freq="D"), ax=ax)
    assert len(layers(ax)["completed"]) == 400
    assert 4 <= len(ax.get_xticks()) <= 9


@pytest.mark.parametrize(
    ("frame", "said"),
    [(CALLS[:0], "0 calls"), (CALLS[4:], "2 calls · calls that never started, not drawn: 2")],
)
def test_without_a_call_that_started_the_picture_says_so(
    ax: Axes, frame: pd.DataFrame, said: str
) -> None:
    charts.status(duration_breakdown(frame, "status", freq="D"), ax=ax)
    assert words(ax) == f"{said}\nno call has started"


def test_nothing_global_is_touched(ax: Axes) -> None:
    before = dict(mpl.rcParams)
    charts.status(duration_breakdown(CALLS, "status", freq="D"), ax=ax)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def without_zone() -> pd.DataFrame:
    daily = duration_breakdown(CALLS, "status", freq="D")
    return daily.assign(period=daily["period"].dt.tz_localize(None))


@pytest.mark.parametrize(
    "wrong", [CALLS, duration_breakdown(CALLS, "status"), without_zone(), "calls.csv", None]
)
def test_only_statuses_over_time_are_drawn(wrong: object) -> None:
    with pytest.raises(FrameError, match=r"duration_breakdown\(df, by='status', freq=\.\.\.\)"):
        charts.status(wrong)  # type: ignore[arg-type]
