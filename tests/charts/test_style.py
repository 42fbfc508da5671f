"""How things look: layers told apart, numbers written."""

from __future__ import annotations

from decimal import Decimal

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from cycler import cycler
from matplotlib.colors import to_rgb

from callkit.charts.style import amount, colour_map, looks, shorten


@pytest.mark.parametrize(
    ("style", "layers"),
    [("default", 6), ("dark_background", 6), ("ggplot", 6), ("tableau-colorblind10", 6)],
)
def test_layers_are_told_apart_in_greyscale(style: str, layers: int) -> None:
    with plt.style.context(style):
        seen = [
            (
                float(to_rgb(look["facecolor"]) @ np.array([0.2126, 0.7152, 0.0722])),
                look.get("hatch"),
            )
            for look in looks(layers)
        ]
    alike = [
        (mine, other)
        for place, mine in enumerate(seen)
        for other in seen[:place]
        if abs(mine[0] - other[0]) < 0.1 and mine[1] == other[1]
    ]
    assert alike == []


def test_colours_that_differ_in_lightness_are_left_plain() -> None:
    with mpl.rc_context({"axes.prop_cycle": cycler(color=["black", "white"])}):
        assert [look.get("hatch") for look in looks(2)] == [None, None]


def test_a_map_of_the_users_holds_in_whichever_direction_suits_the_page() -> None:
    with mpl.rc_context({"image.cmap": "Blues", "text.color": "black"}):
        assert colour_map() == mpl.colormaps["Blues"]
    with mpl.rc_context({"image.cmap": "Blues", "text.color": "white"}):
        assert colour_map() == mpl.colormaps["Blues_r"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "0.00"), (0.0085, "0.0085"), (-0.5, "-0.5000"), (1, "1.00"), (1234.5, "1,234.50")],
)
def test_amounts_are_written_to_the_cent_and_small_ones_finer(value: float, written: str) -> None:
    assert amount(value) == written


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.00004, "0.00004"),
        (Decimal("-0.01234567"), "-0.01234567"),
        (Decimal("0.00000001"), "0.00000001"),
        (0.1 + 0.2, "0.3000"),
    ],
)
def test_small_amounts_have_the_decimals_they_need(value: Decimal | float, written: str) -> None:
    assert amount(value) == written


def test_long_labels_lose_their_middle() -> None:
    assert shorten("0123456789", 10) == "0123456789"
    assert shorten("0123456789a", 10) == "01234…789a"
