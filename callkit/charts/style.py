"""What the charts share: where they draw, their colours, and how they write numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import StrMethodFormatter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType

__all__ = [
    "amount",
    "colours",
    "empty",
    "head",
    "legend_above",
    "new_axes",
    "panels_in",
    "shorten",
    "thousands",
]

_BETWEEN = 6.0  # the space between panels, in font sizes
_PANEL = 0.2  # the least share of the place that a panel takes, of an even one
_LINE = 1.45  # the height of a line of text, in font sizes
_LETTER = 0.55  # the width of a letter, in font sizes
_HANDLE = 8  # what a legend's colour patch and spaces take, in letters
_MOST_LEGEND = 0.6  # the share of the Axes that a legend may take
_PLACES = {"left": 0.0, "center": 0.5, "right": 1.0}


def new_axes(panels: int = 1) -> Axes:
    """Make a figure that notebooks show, and the Axes in it."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - pyplot is for who brings no Axes

    width, height = mpl.rcParams["figure.figsize"]
    size = (width, height * (0.4 + 0.6 * panels))
    return plt.subplots(figsize=size, layout="constrained")[1]


def panels_in(ax: Axes, count: int) -> list[Axes]:
    """Put panels in the place of an Axes, one under the other; one panel is the Axes itself."""
    if count <= 1:
        return [ax]
    ax.set_axis_off()
    between = _BETWEEN * _points("medium") / _size(ax)[1]
    height = max((1 - between * (count - 1)) / count, _PANEL / count)
    step = (1 - height) / (count - 1)
    return [ax.inset_axes((0, 1 - height - number * step, 1, height)) for number in range(count)]


def head(ax: Axes, title: str, notes: Sequence[str], *, lines: int = 0) -> None:
    """Write the title, and below it, smaller, the notes, with room for `lines` at least."""
    place = mpl.rcParams["axes.titlelocation"]
    if title:
        room = max(len(notes), lines) * _LINE * _points("small")
        ax.set_title(title, pad=mpl.rcParams["axes.titlepad"] + room)
    ax.annotate(
        "\n".join(notes),
        (_PLACES[place], 1),
        xycoords="axes fraction",
        xytext=(0, 4),
        textcoords="offset points",
        ha=place,
        va="bottom",
        fontsize="small",
    )


def empty(ax: Axes, reason: str) -> None:
    """Say why there is nothing to see."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center")


def colours(count: int) -> list[ColorType]:
    """Choose colours: the user's cycle, else an order of lightness that survives greyscale."""
    cycle = mpl.rcParams["axes.prop_cycle"]
    if count == 1 or cycle != mpl.rcParamsDefault["axes.prop_cycle"]:
        return [f"C{number}" for number in range(count)]
    shades = mpl.colormaps["viridis"](np.linspace(0.1, 0.92, count))
    return [tuple(shade) for shade in shades.tolist()]


def legend_above(ax: Axes) -> None:
    """Put the legend inside, above all that is drawn, so that it neither hides nor is cut off."""
    handles, names = ax.get_legend_handles_labels()
    labels = [str(name) for name in names]
    size = _points("small")
    width, height = _size(ax)
    letters = max(len(label) for label in labels) + _HANDLE
    columns = max(1, min(len(labels), int(width / (letters * _LETTER * size))))
    rows = -(-len(labels) // columns)
    share = min(_MOST_LEGEND, (rows + 1) * _LINE * size / height)
    low, high = ax.get_ylim()
    ax.set_ylim(low, low + (high - low) / (1 - share))
    ax.legend(handles, labels, loc="upper left", ncols=columns, fontsize="small")


def thousands(axis: Axis) -> None:
    """Separate thousands along an axis."""
    axis.set_major_formatter(StrMethodFormatter("{x:,.10g}"))


def amount(value: Decimal | float) -> str:
    """Write an amount of money: to the cent, and small ones to a hundredth of it."""
    small = value != 0 and -1 < value < 1
    return f"{value:,.4f}" if small else f"{value:,.2f}"


def shorten(label: str, longest: int) -> str:
    """Cut the middle from a label that would push the picture aside."""
    if len(label) <= longest:
        return label
    return f"{label[: longest // 2]}…{label[1 - longest // 2 :]}"


def _size(ax: Axes) -> tuple[float, float]:
    """Measure an Axes, in points."""
    box, figure = ax.get_window_extent(), cast("Figure", ax.get_figure(root=True))
    return box.width * 72 / figure.dpi, box.height * 72 / figure.dpi


def _points(size: str) -> float:
    return FontProperties(size=size).get_size_in_points()
