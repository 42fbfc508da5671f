"""charts.cost: what is drawn is what the breakdown says."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import matplotlib as mpl
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from cycler import cycler
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from callkit import charts, cost_breakdown
from callkit.errors import FrameError
from tests.breakdown.synthetic import calls
from tests.charts.artists import bars, colours, layers, panels, words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

IN, OUT = {"direction": "inbound"}, {"direction": "outbound-api"}
USD = calls(
    {**IN, "price": "-1.50", "start": "2025-03-01T12:00:00+00:00"},
    {**OUT, "price": "-2.50", "start": "2025-03-01T12:00:00+00:00"},
    {**IN, "price": "0.75", "start": "2025-03-02T12:00:00+00:00"},
    {**OUT, "price": "-1000", "start": "2025-03-04T12:00:00+00:00"},
)
EUR = calls({**IN, "price": "-7", "price_unit": "EUR", "start": "2025-03-02T12:00:00+00:00"})
BOTH = pd.concat([USD, EUR], ignore_index=True)


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture
def closing_figures() -> Iterator[None]:
    yield
    plt.close("all")


def sizes(ax: Axes) -> list[float]:
    """List how long all bars are, lying or stacked."""
    stacked = [bar.height for layer in layers(ax).values() for bar in layer]
    return [*stacked, *(bar.get_width() for bar in bars(ax))]


def legend_of(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def svg_of(figure: Figure) -> str:
    """Draw a figure as SVG whose texts can be read."""
    page = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(page, format="svg")
    return page.getvalue()


def day(date: str, tz: str = "UTC") -> float:
    return float(mdates.date2num(pd.Timestamp(date, tz=tz)))  # type: ignore[no-untyped-call]


def test_layers_are_stacked_over_time_and_credits_hang_from_zero(ax: Axes) -> None:
    charts.cost(cost_breakdown(USD, "direction", freq="D"), ax=ax)
    assert layers(ax) == {
        "outbound-api": [(day("2025-03-01"), 0, 2.5), (day("2025-03-04"), 0, 1000)],
        "inbound": [(day("2025-03-01"), 2.5, 1.5), (day("2025-03-02"), 0, -0.75)],
    }


def test_rows_of_totals_are_not_drawn(ax: Axes) -> None:
    charts.cost(cost_breakdown(USD, "direction", freq="D", margins=True), ax=ax)
    assert sorted(layers(ax)) == ["inbound", "outbound-api"]
    assert layers(ax)["inbound"][0] == (day("2025-03-01"), 2.5, 1.5)


def test_bars_stand_on_the_start_of_the_local_day(ax: Axes) -> None:
    charts.cost(cost_breakdown(EUR, freq="D", tz="Europe/Berlin"), ax=ax)
    ((place, base, height),) = next(iter(layers(ax).values()))
    assert place == pytest.approx(day("2025-03-02", "Europe/Berlin"), abs=1e-9)
    assert (base, height) == (0, 7)


def test_title_axes_and_legend_say_what_is_seen(ax: Axes) -> None:
    charts.cost(cost_breakdown(USD, "direction", freq="D", tz="Europe/Berlin"), ax=ax)
    assert ax.get_title() == "Connectivity cost by direction"
    assert ax.get_ylabel() == "USD"
    assert ax.get_xlabel() == "start of the period (Europe/Berlin)"
    assert words(ax) == "1,003.25 USD in all"
    assert legend_of(ax) == ["outbound-api", "inbound"]


@pytest.mark.parametrize("freq", [None, "D"])
def test_amounts_have_their_thousands_separated(ax: Axes, freq: str | None) -> None:
    charts.cost(cost_breakdown(USD, "direction", freq=freq), ax=ax)
    ax.get_figure(root=True).draw_without_rendering()  # type: ignore[union-attr]
    labels = ax.get_yticklabels() if freq else ax.get_xticklabels()
    assert "1,000" in [label.get_text() for label in labels]


def test_without_periods_there_is_a_bar_for_each_key_the_dearest_on_top(ax: Axes) -> None:
    charts.cost(cost_breakdown(USD, "direction"), ax=ax)
    assert [bar.get_width() for bar in bars(ax)] == [1002.5, 0.75]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["outbound-api", "inbound"]
    assert ax.yaxis_inverted()
    assert words(ax).splitlines() == ["1,003.25 USD in all", "1,002.50", "0.7500"]


def test_what_is_not_drawn_or_not_known_is_said(ax: Axes) -> None:
    frame = calls(
        {"price": "-1", "start": "2025-03-01T12:00:00+00:00"},
        {"price": "-0.5"},
        {"price": None, "start": "2025-03-01T12:00:00+00:00"},
    )
    charts.cost(cost_breakdown(frame, freq="D"), ax=ax)
    assert words(ax) == (
        "1.50 USD in all\n"
        "calls that never started, not drawn: 0.5000 USD · completed calls not priced yet: 1"
    )


def test_keys_without_a_name_and_of_several_columns_are_written_out(ax: Axes) -> None:
    frame = calls({"direction": None, "price": "-1"})
    charts.cost(cost_breakdown(frame, ["direction", "leg"]), ax=ax)
    assert ax.get_title() == "Connectivity cost by direction, leg"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["(none) · root"]


@pytest.mark.parametrize(("freq", "shown"), [(None, 11), ("D", 5)])
def test_what_is_too_much_to_show_is_put_together(ax: Axes, freq: str | None, shown: int) -> None:
    rows = [
        {"to": f"+{n}", "price": f"-{n}", "start": "2025-03-01T12:00:00+00:00"} for n in range(30)
    ]
    charts.cost(cost_breakdown(calls(*rows), "to", freq=freq), ax=ax)
    drawn = sizes(ax)
    dearest = list(range(29, 29 - shown, -1))
    assert drawn == [*dearest, sum(range(30)) - sum(dearest)]
    labels = ax.get_legend_handles_labels()[1] if freq else ax.get_yticklabels()
    assert f"other ({30 - shown})" in str(labels[-1])


def test_a_key_written_like_a_missing_one_has_a_bar_of_its_own(ax: Axes) -> None:
    frame = calls({"to": "(none)", "price": "-2"}, {"to": None, "price": "-1"})
    charts.cost(cost_breakdown(frame, "to"), ax=ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["(none)", "((none))"]
    assert sizes(ax) == [2, 1]


@pytest.mark.parametrize(("freq", "shown"), [(None, 11), ("D", 5)])
def test_a_key_written_like_the_rest_is_not_added_to_it(
    ax: Axes, freq: str | None, shown: int
) -> None:
    named = {"to": "other (2)", "price": "-5", "start": "2025-03-01T12:00:00+00:00"}
    rows = [{**named, "to": f"+{n}", "price": "-1"} for n in range(shown + 1)]
    charts.cost(cost_breakdown(calls(named, *rows), "to", freq=freq), ax=ax)
    assert sizes(ax) == [5, *[1] * (shown - 1), 2]
    labels = legend_of(ax) if freq else [label.get_text() for label in ax.get_yticklabels()]
    assert [labels[0], labels[-1]] == ["other (2)", "(other (2))"]


@pytest.mark.parametrize("second", ["inbound", "_outbound"])
def test_the_legend_names_layers_that_begin_with_an_underscore(ax: Axes, second: str) -> None:
    both = {"price": "-1", "start": "2025-03-01T12:00:00+00:00"}
    frame = calls({**both, "to": "_internal", "price": "-2"}, {**both, "to": second})
    charts.cost(cost_breakdown(frame, "to", freq="D"), ax=ax)
    assert legend_of(ax) == ["_internal", second]


def test_the_legend_still_names_what_the_user_drew(ax: Axes) -> None:
    ax.axhline(5, label="budget")
    charts.cost(cost_breakdown(USD, "direction", freq="D"), ax=ax)
    assert legend_of(ax) == ["budget", "outbound-api", "inbound"]


def test_the_legend_stands_in_the_first_panel_that_has_layers(ax: Axes) -> None:
    never_started = calls({**IN, "price": "-7", "price_unit": "EUR"})
    charts.cost(cost_breakdown(pd.concat([never_started, USD]), "direction", freq="D"), ax=ax)
    eur, usd = panels(ax)
    assert eur.get_legend() is None
    assert legend_of(usd) == ["inbound", "outbound-api"]


@pytest.mark.parametrize("freq", [None, "D"])
def test_dollar_signs_are_not_taken_for_mathematics(freq: str | None) -> None:
    plan = r"$\nonsense$ plan"
    key = {"to": plan, "price": "-1", "price_unit": plan, "start": "2025-03-01T12:00:00+00:00"}
    frame = calls(key, {**key, "to": "$5 · $9"}).rename(columns={"to": plan})
    figure = Figure(layout="constrained")
    charts.cost(cost_breakdown(frame, plan, freq=freq), ax=figure.subplots())
    page = svg_of(figure)
    in_place = [f"by {plan}", f"2.00 {plan} in all", f">{plan}<", ">$5 · $9<"]
    assert [text for text in in_place if text not in page] == []


def test_long_labels_are_cut_in_the_middle_and_stay_apart(ax: Axes) -> None:
    names = [f"sip:{n}{'x' * 80}@example.com" for n in range(2)]
    charts.cost(cost_breakdown(calls(*[{"to": to, "price": "-1"} for to in names]), "to"), ax=ax)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["sip:0xxxxxxxxx…x@example.com", "sip:1xxxxxxxxx…x@example.com"]


@pytest.mark.parametrize("freq", [None, "D"])
def test_currencies_have_a_panel_each(ax: Axes, freq: str | None) -> None:
    assert charts.cost(cost_breakdown(BOTH, "direction", freq=freq), ax=ax) is ax
    eur, usd = panels(ax)
    assert ax.get_title() == "Connectivity cost by direction"
    assert words(eur).startswith("7.00 EUR in all")
    assert words(usd).startswith("1,003.25 USD in all")
    assert sizes(ax) == []
    assert sum(sizes(eur)) == 7


def test_a_layer_has_one_colour_in_every_panel(ax: Axes) -> None:
    charts.cost(cost_breakdown(BOTH, "direction", freq="D"), ax=ax)
    eur, usd = (colours(panel) for panel in panels(ax))
    assert eur == usd


def test_calls_of_a_currency_without_a_panel_are_not_lost_sight_of(ax: Axes) -> None:
    unpriced = calls({"price": None, "price_unit": "GBP"})
    charts.cost(cost_breakdown(pd.concat([BOTH, unpriced]), "direction"), ax=ax)
    usd = panels(ax)[-1]
    assert "in no currency above, completed calls not priced yet: 1" in words(usd)


def test_calls_that_cost_nothing_are_drawn_at_zero(ax: Axes) -> None:
    charts.cost(cost_breakdown(calls({**IN, "price": "0"}), "direction"), ax=ax)
    assert [bar.get_width() for bar in bars(ax)] == [0]
    assert words(ax).splitlines() == ["0.00 USD in all", "0.00"]


@pytest.mark.parametrize("freq", [None, "D"])
def test_without_a_price_the_picture_says_so(ax: Axes, freq: str | None) -> None:
    charts.cost(cost_breakdown(USD[:0], "direction", freq=freq), ax=ax)
    assert ax.get_title() == "Connectivity cost by direction"
    assert "no call has a price" in words(ax)


def test_one_period_is_dated_in_full(ax: Axes) -> None:
    charts.cost(cost_breakdown(EUR, freq="MS"), ax=ax)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["2025-03-01"]


def test_ticks_stay_few_over_400_days(ax: Axes) -> None:
    starts = pd.date_range("2024-01-01", periods=400, tz="UTC")
    frame = calls(*[{"price": "-1", "start": start.isoformat()} for start in starts])
    charts.cost(cost_breakdown(frame, freq="D"), ax=ax)
    assert len(sizes(ax)) == 400
    assert 4 <= len(ax.get_xticks()) <= 9


def test_colours_get_lighter_from_layer_to_layer(ax: Axes) -> None:
    rows = [{"to": f"+{n}", "price": "-1", "start": "2025-03-01T12:00:00+00:00"} for n in range(6)]
    charts.cost(cost_breakdown(calls(*rows), "to", freq="D"), ax=ax)
    lightness = [
        to_rgb(shade) @ np.array([0.2126, 0.7152, 0.0722]) for shade in colours(ax).values()
    ]
    assert min(np.diff(lightness)) > 0.05


def test_the_users_own_colours_hold() -> None:
    with mpl.rc_context({"axes.prop_cycle": cycler(color=["red", "blue"])}):
        ax = charts.cost(cost_breakdown(USD, "direction", freq="D"), ax=Figure().subplots())
        assert set(colours(ax).values()) == {(1, 0, 0, 1), (0, 0, 1, 1)}


def test_nothing_global_is_touched(ax: Axes) -> None:
    before = dict(mpl.rcParams)
    charts.cost(cost_breakdown(BOTH, "direction", freq="D"), ax=ax)
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


@pytest.mark.usefixtures("closing_figures")
def test_without_axes_a_figure_is_made_as_pandas_makes_one() -> None:
    ax = charts.cost(cost_breakdown(USD))
    assert [plt.figure(number) for number in plt.get_fignums()] == [ax.figure]


@pytest.mark.parametrize("wrong", [USD, USD["price"], None])
def test_only_a_cost_breakdown_is_drawn(wrong: object) -> None:
    with pytest.raises(FrameError, match=r"expects the result of callkit\.cost_breakdown"):
        charts.cost(wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("frame", [BOTH, USD, EUR])
@pytest.mark.parametrize("freq", [None, "D"])
def test_nothing_is_cut_off(frame: pd.DataFrame, freq: str | None) -> None:
    figure = Figure(layout="constrained")
    ax = charts.cost(cost_breakdown(frame, "direction", freq=freq), ax=figure.subplots())
    figure.draw_without_rendering()
    drawn, page = ax.get_tightbbox(), figure.bbox
    assert drawn is not None
    assert page.x0 - 1 <= drawn.x0 < drawn.x1 <= page.x1 + 1
    assert page.y0 - 1 <= drawn.y0 < drawn.y1 <= page.y1 + 1
