"""charts.heat_map: when calls are made, and when they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from callkit import charts, cost_breakdown, duration_breakdown
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls
from tests.charts.artists import bars, panels, words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

KEYS = ["weekday", "hour"]
MONDAY, SUNDAY = "2025-03-03T09:10:00+00:00", "2025-03-09T23:30:00+00:00"
CALLS = calls(
    {"price": "-1.50", "duration": "61", "start": MONDAY},
    {"price": "-0.25", "duration": "30", "start": MONDAY},
    {"price": "1000", "duration": "60", "start": SUNDAY},
    {"price": None, "status": "busy", "start": "2025-03-04T00:00:00+00:00"},
    {"price": "-0.75", "duration": "60"},
    {"price": None, "start": MONDAY},
)
EUROS = calls({"price": "-7", "price_unit": "EUR", "duration": "60", "start": MONDAY})
BOTH = pd.concat([CALLS, EUROS], ignore_index=True)


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


def cells(ax: Axes) -> dict[tuple[int, int], float]:
    """Tell what is coloured: the value at each weekday, counted from Monday, and hour."""
    values: NDArray[np.float64] = np.ma.filled(
        np.ma.asarray(mesh(ax).get_array()).reshape(7, 24), np.nan
    )
    return {(int(d), int(h)): float(values[d, h]) for d, h in np.argwhere(~np.isnan(values))}


def mesh(ax: Axes) -> QuadMesh:
    (found,) = (drawn for drawn in ax.collections if isinstance(drawn, QuadMesh))
    return found


@pytest.mark.parametrize(
    ("measure", "drawn"),
    [
        ("calls", {(0, 9): 3, (1, 0): 1, (6, 23): 1}),
        ("minutes", {(0, 9): 3, (6, 23): 1}),
        ("cost", {(0, 9): 1.75}),
    ],
)
def test_each_hour_of_each_weekday_has_its_own(
    ax: Axes, measure: str, drawn: dict[tuple[int, int], float]
) -> None:
    charts.heat_map(cost_breakdown(CALLS, KEYS), measure=measure, ax=ax)
    assert cells(ax) == drawn


def test_calls_of_every_currency_and_key_are_added_up(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(BOTH, [*KEYS, "direction"], margins=True), ax=ax)
    assert cells(ax) == {(0, 9): 4, (1, 0): 1, (6, 23): 1}
    assert panels(ax) == []


def test_a_breakdown_of_durations_will_do_for_calls(ax: Axes) -> None:
    charts.heat_map(duration_breakdown(CALLS, KEYS), ax=ax)
    assert cells(ax) == {(0, 9): 3, (1, 0): 1, (6, 23): 1}


def test_the_week_begins_on_monday_on_top_and_the_day_at_midnight(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(CALLS, KEYS, tz="Europe/Berlin"), ax=ax)
    assert ax.yaxis_inverted()
    assert ax.get_yticklabels()[0].get_text() == "Monday"
    assert ax.get_xlim() == (0, 24)
    assert [label.get_text() for label in ax.get_xticklabels()][:2] == ["00:00", "03:00"]
    assert (0, 0) in cells(ax)  # Sunday, 23:30 UTC


def test_title_axis_and_colour_bar_say_what_is_seen(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(CALLS, KEYS, tz="Europe/Berlin"), measure="cost", ax=ax)
    assert ax.get_title() == "Connectivity cost by weekday and hour"
    assert ax.get_xlabel() == "hour of the start (Europe/Berlin)"
    assert bar_of(ax).get_ylabel() == "USD"


def test_a_breakdown_that_does_not_tell_its_zone_is_given_none(ax: Axes) -> None:
    breakdown = cost_breakdown(CALLS, KEYS)
    breakdown.attrs = {}
    charts.heat_map(breakdown, ax=ax)
    assert ax.get_xlabel() == "hour of the start"


@pytest.mark.parametrize(
    ("measure", "unit"), [("calls", "calls"), ("minutes", "billed minutes"), ("cost", "USD")]
)
def test_the_colour_bar_has_a_unit_and_its_thousands_separated(
    ax: Axes, measure: str, unit: str
) -> None:
    breakdown = cost_breakdown(CALLS, KEYS)
    breakdown[["calls", "billed_minutes", "cost"]] *= 1_000
    charts.heat_map(breakdown, measure=measure, ax=ax)
    bar = bar_of(ax)
    cast("Figure", ax.get_figure()).draw_without_rendering()
    assert bar.get_ylabel() == unit
    assert any("," in label.get_text() for label in bar.get_yticklabels())


def bar_of(ax: Axes) -> Axes:
    return cast("Axes", mesh(ax).colorbar.ax)  # type: ignore[union-attr]


def test_credits_are_hatched_and_never_the_least_of_the_charges(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(CALLS, KEYS), measure="cost", ax=ax)
    (hatched,) = bars(ax)
    assert (hatched.get_xy(), hatched.get_hatch() is None) == ((23, 6), False)
    assert mesh(ax).get_clim() == (0, 1.75)
    assert "hatched: credits exceed charges, -1,000.00 USD in all" in words(ax)


@pytest.mark.parametrize("price", ["0", "5"])
def test_a_week_without_charges_has_a_scale_from_zero_too(ax: Axes, price: str) -> None:
    free = calls({"price": price, "duration": "60", "start": MONDAY})
    charts.heat_map(cost_breakdown(free, KEYS), measure="cost", ax=ax)
    assert mesh(ax).get_clim() == (0, 1)


def test_what_credits_make_up_for_to_the_last_digit_is_nothing_not_less(ax: Axes) -> None:
    rows = [{"to": to, "price": to, "start": MONDAY} for to in ("-0.1", "-0.2", "0.3")]
    charts.heat_map(cost_breakdown(calls(*rows[::-1]), [*KEYS, "to"]), measure="cost", ax=ax)
    assert cells(ax) == {(0, 9): 0}


def test_what_is_not_drawn_or_not_known_is_said(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(CALLS, KEYS), measure="cost", ax=ax)
    assert words(ax).split("\n", 1)[0] == "-997.50 USD in all"
    said = words(ax).replace("\n", " · ").split(" · ")
    assert said[1:] == [
        "calls that never started, not drawn: 1 (0.7500 USD)",
        "completed calls not priced yet: 1",
        "blank: no priced calls",
        "hatched: credits exceed charges, -1,000.00 USD in all",
    ]


def test_of_calls_their_number_is_said(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(CALLS, KEYS), ax=ax)
    assert words(ax) == ("6 calls in all\ncalls that never started, not drawn: 1 · blank: no calls")


def test_rows_that_fill_put_in_are_as_blank_as_those_that_are_not_there(ax: Axes) -> None:
    filled = cost_breakdown(CALLS, KEYS, freq="D", fill=True)
    charts.heat_map(filled, measure="cost", ax=ax)
    assert cells(ax) == {(0, 9): 1.75}


def test_currencies_have_a_panel_each_and_a_scale_of_their_own(ax: Axes) -> None:
    assert charts.heat_map(cost_breakdown(BOTH, KEYS), measure="cost", ax=ax) is ax
    eur, usd = panels(ax)
    assert ax.get_title() == "Connectivity cost by weekday and hour"
    assert (cells(eur), cells(usd)) == ({(0, 9): 7}, {(0, 9): 1.75})
    assert (bar_of(eur).get_ylabel(), bar_of(usd).get_ylabel()) == ("EUR", "USD")
    assert (mesh(eur).get_clim(), mesh(usd).get_clim()) == ((0, 7), (0, 1.75))


@pytest.mark.parametrize(
    ("measure", "reason"),
    [("calls", "no call has started"), ("cost", "no call has a price")],
)
def test_without_a_call_the_picture_says_so(ax: Axes, measure: str, reason: str) -> None:
    charts.heat_map(cost_breakdown(CALLS[:0], KEYS), measure=measure, ax=ax)
    assert words(ax).splitlines()[-1] == reason


def test_calls_that_never_started_alone_are_said_not_drawn(ax: Axes) -> None:
    charts.heat_map(cost_breakdown(calls({"price": None, "status": "queued"}), KEYS), ax=ax)
    assert "calls that never started, not drawn: 1" in words(ax)
    assert "no call has started" in words(ax)


@pytest.mark.parametrize("style", ["default", "dark_background", "grayscale"])
def test_more_stands_out_more_from_the_page_by_lightness_alone(style: str) -> None:
    with plt.style.context(style):
        ax = charts.heat_map(cost_breakdown(CALLS, KEYS), ax=Figure().subplots())
        page = lightness(mpl.rcParams["axes.facecolor"])
    shades = [lightness(mesh(ax).cmap(part)) for part in np.linspace(0, 1, 20)]
    assert (np.diff(np.abs(np.array(shades) - page)) > 0).all()


def lightness(colour: object) -> float:
    return float(to_rgb(colour) @ np.array([0.2126, 0.7152, 0.0722]))  # type: ignore[arg-type]


def test_a_currency_with_dollar_signs_is_not_taken_for_mathematics() -> None:
    odd = calls({"price": "-1", "price_unit": r"$\nonsense$", "start": MONDAY})
    figure = Figure(layout="constrained")
    charts.heat_map(cost_breakdown(odd, KEYS), measure="cost", ax=figure.subplots())
    figure.draw_without_rendering()
    assert figure.axes[-1].get_ylabel() == r"$\nonsense$"


def test_nothing_global_is_touched(ax: Axes) -> None:
    before = dict(mpl.rcParams)
    charts.heat_map(cost_breakdown(BOTH, KEYS), measure="cost", ax=ax)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def odd_hours() -> pd.DataFrame:
    return cost_breakdown(CALLS, KEYS).assign(hour=25)


@pytest.mark.parametrize(
    "wrong", [CALLS, cost_breakdown(CALLS, "hour"), odd_hours(), CALLS["price"], None]
)
def test_only_weekdays_and_hours_are_drawn(wrong: object) -> None:
    with pytest.raises(
        FrameError, match=r"for example callkit\.cost_breakdown\(df, by=\['weekday',"
    ):
        charts.heat_map(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("measure", ["price", ["calls"], None])
def test_a_measure_is_one_of_three(measure: object) -> None:
    with pytest.raises(FrameError, match="expected 'calls', 'minutes' or 'cost'"):
        charts.heat_map(cost_breakdown(CALLS, KEYS), measure=measure)  # type: ignore[arg-type]
