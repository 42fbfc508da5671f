"""How things look: colours, and how numbers and labels are written."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.ticker import StrMethodFormatter

if TYPE_CHECKING:
    from decimal import Decimal

    from matplotlib.axis import Axis
    from matplotlib.colors import Colormap
    from matplotlib.typing import ColorType

__all__ = ["amount", "colour_map", "looks", "shorten", "thousands"]

_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_MIDDLE = 0.5
_ALIKE = 0.1  # lightness that greyscale does not tell apart
_HATCHES = ("///", "...", "xxx", "---", "ooo")


def looks(count: int) -> list[dict[str, Any]]:
    """Choose how layers look: in an order of lightness, which survives greyscale.

    The colours of a cycle that the user set hold; those as light as an earlier one are hatched.
    """
    cycle = mpl.rcParams["axes.prop_cycle"]
    if count > 1 and cycle == mpl.rcParamsDefault["axes.prop_cycle"]:
        shades = mpl.colormaps["viridis"](np.linspace(0.1, 0.92, count))
        return [{"facecolor": tuple(shade)} for shade in shades.tolist()]
    found: list[dict[str, Any]] = []
    taken: list[float] = []
    hatches = itertools.cycle(_HATCHES)
    for number in range(count):
        lightness = _lightness(f"C{number}")
        look = {"facecolor": f"C{number}", "linewidth": 0}
        if any(abs(lightness - other) < _ALIKE for other in taken):
            line = "0.1" if lightness > _MIDDLE else "0.95"
            look |= {"hatch": next(hatches), "edgecolor": line}
        found.append(look)
        taken.append(lightness)
    return found


def colour_map() -> Colormap:
    """Choose the user's map, which is viridis unless set, turned so that more stands out more."""
    chosen = mpl.colormaps[mpl.rcParams["image.cmap"]]
    page_is_light = _lightness(mpl.rcParams["text.color"]) < _MIDDLE
    gets_lighter = _lightness(chosen(0.0)) < _lightness(chosen(1.0))
    return chosen.reversed() if gets_lighter == page_is_light else chosen


def thousands(axis: Axis) -> None:
    """Separate thousands along an axis."""
    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def amount(value: Decimal | float) -> str:
    """Write an amount of money: to the cent, and small ones to four decimals or up to eight."""
    if value == 0 or not -1 < value < 1:
        return f"{value:,.2f}"
    written = f"{value:.8f}"
    return written[:-4] + written[-4:].rstrip("0")


def shorten(label: str, longest: int) -> str:
    """Cut the middle from a label that would push the picture aside."""
    if len(label) <= longest:
        return label
    return f"{label[: longest // 2]}…{label[1 - longest // 2 :]}"


def _lightness(colour: ColorType) -> float:
    return float(to_rgb(colour) @ _LUMINANCE)
