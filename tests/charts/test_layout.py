"""Every chart fits its page and reads well, whatever the style, the letters and the figure."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure

from callkit import calls_in_progress, charts, cost_breakdown, duration_breakdown
from callkit.charts.style import head
from tests.charts.artists import figure_of, panels, words
from tests.charts.traffic import traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

DOLLARS = traffic(300)
BOTH = pd.concat([DOLLARS, traffic(100, currency="EUR", seed=2)], ignore_index=True)
ENDED = DOLLARS.dropna(subset="end_time")
FAR = "America/Argentina/ComodRivadavia"
CHARTS: dict[str, Callable[[], Axes]] = {
    "cost over time": lambda: charts.cost(cost_breakdown(BOTH, ["direction", "leg"], freq="D")),
    "cost by key": lambda: charts.cost(cost_breakdown(DOLLARS, ["direction", "hour"])),
    "duration": lambda: charts.duration(DOLLARS),
    "heat map of calls": lambda: charts.heat_map(cost_breakdown(DOLLARS, ["weekday", "hour"])),
    "heat map of cost": lambda: charts.heat_map(
        cost_breakdown(BOTH, ["weekday", "hour"], tz=FAR), measure="cost"
    ),
    "status": lambda: charts.status(duration_breakdown(DOLLARS, "status", freq="W")),
    "in progress": lambda: charts.in_progress(calls_in_progress(ENDED, freq="D")),
}
STYLES: dict[str, list[str | dict[str, Any]]] = {
    "large letters": [{"font.size": 18}],
    "a small figure": [{"figure.figsize": (3.6, 2.7)}],
    "ggplot": ["ggplot"],
}


@pytest.fixture(params=STYLES)
def in_style(request: pytest.FixtureRequest) -> Iterator[None]:
    with plt.style.context(["default", *STYLES[request.param]]):
        yield
    plt.close("all")


@pytest.mark.usefixtures("in_style")
@pytest.mark.parametrize("name", CHARTS)
def test_nothing_is_cut_off_or_covered(name: str) -> None:
    ax = CHARTS[name]()
    figure_of(ax).draw_without_rendering()
    drawn, page = box_of(ax), figure_of(ax).bbox
    assert page.x0 <= drawn.x0 < drawn.x1 <= page.x1
    assert page.y0 <= drawn.y0 < drawn.y1 <= page.y1
    for upper, lower in pairwise(panels(ax)):
        assert box_of(upper).y0 >= box_of(lower).y1
    for panel in panels(ax) or [ax]:
        labels = [label.get_window_extent() for label in shown(panel)]
        assert all(left.x1 < right.x0 for left, right in pairwise(labels))
        legend = panel.get_legend()
        top = panel.transData.transform((0, panel.dataLim.y1))[1]
        assert legend is None or legend.get_window_extent().y0 >= top


def box_of(ax: Axes) -> Bbox:
    box = ax.get_tightbbox()
    assert box is not None
    return box


def shown(ax: Axes) -> list[Any]:
    """List the labels along the axis that are in sight, from left to right."""
    low, high = ax.get_xlim()
    return [
        label
        for label in ax.get_xticklabels()
        if label.get_text() and low <= label.get_position()[0] <= high
    ]


def test_notes_too_wide_for_the_axes_are_broken_between_what_they_say() -> None:
    said = ["calls that never started: 1 · completed calls not priced yet: 2", "all"]
    ax = Figure(figsize=(4, 3)).subplots()
    head(ax, "Calls", said)
    assert words(ax).split("\n") == [*said[0].split(" · "), "all"]


def test_a_title_too_wide_for_the_page_goes_on_in_another_line() -> None:
    figure = Figure(figsize=(3, 3), layout="constrained")
    ax = figure.subplots()
    head(ax, "Connectivity cost by direction, country, number_type, leg", [])
    figure.draw_without_rendering()
    box = ax.title.get_window_extent()
    assert (box.x0 >= 0, box.x1 <= figure.bbox.x1) == (True, True)


def test_charts_stand_beside_one_another_in_a_figure_of_the_users() -> None:
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    charts.heat_map(cost_breakdown(DOLLARS, ["weekday", "hour"]), ax=left)
    charts.cost(cost_breakdown(BOTH, freq="W"), ax=right)
    figure.draw_without_rendering()
    bars = [ax for ax in figure.axes if ax not in (left, right, *panels(right))]
    assert [box_of(left).x1 <= box_of(bar).x0 < box_of(right).x0 for bar in bars] == [True]
