"""Every chart, compared with a picture that somebody has looked at.

After a change that is meant, draw them anew and look at each, full size::

    pytest tests/charts/test_pictures.py --mpl-generate-path=tests/charts/pictures

Letters are drawn by the FreeType that comes with matplotlib; another one moves them by parts of a
dot, which counts for more than a bar that is wrong. So the tolerance is close with the FreeType
that drew the pictures, and wide with others. For the same reason the Axes are put in a fixed place;
how charts find a place of their own is tested in test_layout.py.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from matplotlib import ft2font
from matplotlib.figure import Figure

from callkit import calls_in_progress, charts, cost_breakdown, duration_breakdown
from tests.breakdown.synthetic import calls
from tests.charts.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

BERLIN = "Europe/Berlin"
TOLERANCE = 0.3 if ft2font.__freetype_version__ == "2.14.3" else 35
LIGHT, DARK = (
    pytest.mark.mpl_image_compare(
        baseline_dir="pictures", style=style, tolerance=TOLERANCE, savefig_kwargs={"dpi": 80}
    )
    for style in ("default", "dark_background")
)


def drawn(
    draw: Callable[..., Axes],
    table: pd.DataFrame,
    *,
    height: float = 4.8,
    left: float = 0.13,
    **how: str,
) -> Figure:
    """Draw in a figure whose margins are given: in inches, but for the one on the left."""
    figure = Figure(figsize=(6.4, height))
    margins = {"left": left, "right": 0.92, "bottom": 0.6 / height, "top": 1 - 0.8 / height}
    draw(table, ax=figure.subplots(gridspec_kw=margins), **how)
    return figure


@cache
def month() -> pd.DataFrame:
    """Make calls of four weeks in two currencies, with credits on two Saturdays' mornings."""
    given_back = [
        {
            "direction": "inbound",
            "price": "2.5",
            "duration": "60",
            "start": f"2025-03-{day:02}T06:10:00+00:00",
        }
        for day in (8, 15)
    ]
    not_priced = {"direction": "inbound", "start": "2025-03-30T20:00:00+00:00"}
    return pd.concat(
        [
            traffic(2_400, dear=20),
            traffic(700, currency="EUR", seed=2, dear=20),
            calls(*given_back, not_priced),
        ],
        ignore_index=True,
    )


@cache
def year() -> pd.DataFrame:
    return traffic(6_000, days=400, seed=3, dear=200)


@LIGHT
def test_cost_over_time_in_two_currencies() -> Figure:
    daily = cost_breakdown(month(), "direction", freq="D", tz=BERLIN)
    return drawn(charts.cost, daily, height=7.7)


@LIGHT
def test_cost_over_400_days() -> Figure:
    return drawn(charts.cost, cost_breakdown(year(), "direction", freq="D", tz=BERLIN))


@LIGHT
def test_cost_by_key_with_others_and_long_labels() -> Figure:
    parties = ["sip:sales.department.of.the.north@voice.example.com", "+4930555000199", None]
    parties += [f"client:agent_{number}" for number in range(30)]
    rows = [{"to": to, "price": f"{-4000 / (place + 1):.2f}"} for place, to in enumerate(parties)]
    credit = {"to": "+4930555000188", "price": "900"}
    return drawn(charts.cost, cost_breakdown(calls(*rows, credit), "to"), left=0.4)


@LIGHT
def test_cost_of_one_call() -> Figure:
    call = calls({"price": "-0.0085", "start": "2025-03-03T09:00:00+00:00"})
    return drawn(charts.cost, cost_breakdown(call, "direction", freq="D"))


@LIGHT
def test_cost_of_no_calls() -> Figure:
    return drawn(charts.cost, cost_breakdown(month()[:0], "direction", freq="D"))


@LIGHT
def test_duration() -> Figure:
    return drawn(charts.duration, month())


@LIGHT
def test_duration_of_one_call() -> Figure:
    return drawn(charts.duration, calls({"duration": "75"}))


@LIGHT
def test_heat_map_of_calls() -> Figure:
    return drawn(charts.heat_map, hours(), left=0.16)


@LIGHT
def test_heat_map_of_cost_in_two_currencies_with_credits() -> Figure:
    return drawn(charts.heat_map, hours(), measure="cost", height=7.7, left=0.16)


@LIGHT
def test_heat_map_of_the_minutes_of_one_call() -> Figure:
    call = calls({"price": "-1", "duration": "90", "start": "2025-03-03T09:00:00+00:00"})
    week = cost_breakdown(call, ["weekday", "hour"])
    return drawn(charts.heat_map, week, measure="minutes", left=0.16)


@LIGHT
def test_status() -> Figure:
    return drawn(charts.status, duration_breakdown(month(), "status", freq="D", tz=BERLIN))


@LIGHT
def test_status_over_400_days() -> Figure:
    return drawn(charts.status, duration_breakdown(year(), "status", freq="D", tz=BERLIN))


@LIGHT
def test_in_progress() -> Figure:
    return drawn(charts.in_progress, busy_days())


@DARK
def test_cost_over_time_on_a_dark_page() -> Figure:
    return drawn(charts.cost, cost_breakdown(traffic(900), "direction", freq="D"))


@DARK
def test_heat_map_on_a_dark_page() -> Figure:
    return drawn(charts.heat_map, hours(), left=0.16)


@DARK
def test_status_on_a_dark_page() -> Figure:
    return drawn(charts.status, duration_breakdown(month(), "status", freq="D", tz=BERLIN))


@DARK
def test_duration_and_in_progress_on_a_dark_page() -> Figure:
    figure = Figure(figsize=(6.4, 7.7))
    upper, lower = figure.subplots(2, gridspec_kw={"hspace": 0.5})
    charts.duration(month(), ax=upper)
    charts.in_progress(busy_days(), ax=lower)
    return figure


def hours() -> pd.DataFrame:
    return cost_breakdown(month(), ["weekday", "hour"], tz=BERLIN)


def busy_days() -> pd.DataFrame:
    """Tell how many calls were up in each hour of three days that have many."""
    ended = traffic(9_000, days=3, seed=4).dropna(subset="end_time")
    return calls_in_progress(ended, freq="h", tz=BERLIN)
