"""How every chart looks: where things stand, in which colours, and how numbers are written.

Sizes are in points. What is measured is the Axes as it will be drawn, so that labels fit in small
figures and in large letters too.
"""

import itertools
import textwrap
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axes._base import _AxesBase
from matplotlib.axis import Axis
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.ticker import StrMethodFormatter
from matplotlib.transforms import Bbox
from matplotlib.typing import ColorType

_BELOW = 5.0  # what an axis and its label take below a panel, in font sizes
_PANEL = 0.2  # the least share of the place that a panel takes, of an even one
_LINE = 1.45  # the height of a line of text, in font sizes
_LETTER = 0.55  # the width of a letter, in font sizes
_HANDLE = 8  # what a legend's colour patch and spaces take, in letters
_MOST_LEGEND = 0.6  # the share of the Axes that a legend may take
_SMALLEST = 4.0  # the size of letters below which nothing is read
_STEP = 0.5  # from one size of letters to the next smaller one
_OVERHANG = 1.1  # the share of the Axes that notes may be wide
_NOTE = 4.0  # how far notes are off the Axes
_AND = " · "
_PLACES = {"left": 0.0, "center": 0.5, "right": 1.0}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
_MIDDLE = 0.5
_ALIKE = 0.1  # lightness that greyscale does not tell apart
_HATCHES = ("///", "...", "xxx", "---", "ooo")


def head(ax: Axes | None, title: str, notes: Sequence[str]) -> Axes:
    """Write the title, and below it, smaller, the notes; without an Axes, in a new figure."""
    return panels_in(ax, title, [notes])[0]


def panels_in(
    ax: Axes | None, title: str, notes: Sequence[Sequence[str]], *, width: float = 1.0
) -> tuple[Axes, list[Axes]]:
    """Write the title, and under it put panels in the place of an Axes, each with its notes.

    The panels stand one under the other; a single one is the Axes itself. `width` is the share of
    the place that several take, where something is to stand beside each.
    """
    ax = _new_axes(len(notes)) if ax is None else ax
    if len(notes) == 1:
        panels, width = [ax], 1.0
    else:
        ax.set_axis_off()
        panels = [ax.inset_axes((0, 0, width, 1)) for _ in notes]
    said = [_broken(lines, size_of(ax)[0] * width) for lines in notes]
    heights = [len(lines) * _LINE * _points("small") for lines in said]
    place = _PLACES[mpl.rcParams["axes.titlelocation"]]
    pad = mpl.rcParams["axes.titlepad"] + heights[0]
    literal = title.replace("$", r"\$")  # matplotlib wraps as if it parsed, whatever parse_math is
    ax.set_title(literal, x=place * width, pad=pad, wrap=True, parse_math=True)
    if len(panels) > 1:
        _share(ax, panels, width, heights)
    for panel, lines in zip(panels, said, strict=True):
        _note(panel, "\n".join(lines))
    lay_out(ax)
    return ax, panels


def _new_axes(panels: int) -> Axes:
    """Make a figure that notebooks show, and the Axes in it."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - pyplot is for who brings no Axes

    width, height = mpl.rcParams["figure.figsize"]
    return plt.subplots(figsize=(width, height * (0.4 + 0.6 * panels)), layout="constrained")[1]


def _share(ax: Axes, panels: Sequence[Axes], width: float, heads: Sequence[float]) -> None:
    """Have the panels share the place evenly, with room between them for axes and heads."""
    gaps = [0.0, *(_BELOW * _points("medium") + head for head in heads[1:])]
    for number, panel in enumerate(panels):

        def locate(_panel: _AxesBase, _renderer: object, number: int = number) -> Bbox:
            whole = size_of(ax)[1]
            height = max((whole - sum(gaps)) / len(panels), _PANEL * whole / len(panels))
            between = (whole - len(panels) * height) / sum(gaps)
            top = whole - number * height - sum(gaps[: number + 1]) * between
            box = Bbox.from_extents(0, (top - height) / whole, width, top / whole)
            return box.transformed(ax.transAxes - cast("Figure", ax.get_figure()).transSubfigure)

        panel.set_axes_locator(locate)


def _note(ax: Axes, text: str) -> None:
    place = mpl.rcParams["axes.titlelocation"]
    look: dict[str, Any] = {"ha": place, "va": "bottom", "fontsize": "small", "parse_math": False}
    ax.annotate(text, (_PLACES[place], 1), (0, _NOTE), "axes fraction", "offset points", **look)


def _broken(notes: Sequence[str], width: float) -> list[str]:
    """Break notes that are too wide, between what they say rather than within."""
    most = max(1, int(width * _OVERHANG / (_LETTER * _points("small"))))
    lines: list[str] = []
    for note in notes:
        lines.append("")
        for said in note.split(_AND):
            longer = _AND.join(filter(None, [lines[-1], said]))
            if len(longer) > most:
                lines.append(said)
            else:
                lines[-1] = longer
    return [piece for line in lines for piece in textwrap.wrap(line, most)]


def empty(ax: Axes, reason: str) -> None:
    """Say why there is nothing to see."""
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center")


def legend_above(ax: Axes, layers: Sequence[Artist] = ()) -> None:
    """Put the legend inside, above all that is drawn, so that it neither hides nor is cut off.

    It names what has a label, and `layers` even by one that begins with ``_``, which matplotlib
    takes for a wish to be left out.
    """
    lay_out(ax)
    others = [artist for artist in ax.get_legend_handles_labels()[0] if artist not in layers]
    handles = [*others, *layers]
    labels = [str(artist.get_label()) for artist in handles]
    width, height = size_of(ax)
    letters = max(map(len, labels)) + _HANDLE
    size = _points("small")
    while True:
        columns = max(1, min(len(labels), int(width / (letters * _LETTER * size))))
        tall = (-(-len(labels) // columns) + 1) * _LINE * size
        if tall <= _MOST_LEGEND * height or size <= _SMALLEST:
            break
        size -= _STEP
    low, high = ax.get_ylim()
    ax.set_ylim(low, low + (high - low) / (1 - min(_MOST_LEGEND, tall / height)))
    legend = ax.legend(handles, labels, loc="upper left", ncols=columns, fontsize=size)
    for text in legend.get_texts():
        text.set_parse_math(False)


def font_for(ax: Axes, lines: int, size: str | float) -> float:
    """Choose the size in which so many lines fit along the height, and none larger than `size`."""
    return min(_points(size), max(_SMALLEST, size_of(ax)[1] / lines / _LINE))


def most_labels(ax: Axes, letters: int) -> int:
    """Say how many labels of so many letters fit along the width, in the size of its ticks."""
    size = _points(mpl.rcParams["xtick.labelsize"])
    return max(2, int(size_of(ax)[0] / width_of(letters, size)))


def width_of(letters: int, size: float) -> float:
    """Estimate how wide a label of so many letters is, and the space after it."""
    return (letters + 1) * _LETTER * size


def lay_out(ax: Axes) -> None:
    """Give the Axes the size that it will be drawn in."""
    figure = cast("Figure", ax.get_figure(root=True))
    if engine := figure.get_layout_engine():
        engine.execute(figure)


def size_of(ax: Axes) -> tuple[float, float]:
    """Measure an Axes: its width and height."""
    locate = ax.get_axes_locator()
    if locate is not None:
        ax.apply_aspect(locate(ax, None))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return box.width * 72 / dpi, box.height * 72 / dpi


def _points(size: str | float) -> float:
    return FontProperties(size=size).get_size_in_points()


def looks(count: int) -> list[dict[str, Any]]:
    """Choose how layers look: in an order of lightness, which survives greyscale.

    The colours of a cycle that the user set hold; those as light as an earlier one are hatched.
    """
    cycle = mpl.rcParams["axes.prop_cycle"]
    if count > 1 and cycle == mpl.rcParamsDefault["axes.prop_cycle"]:
        shades = mpl.colormaps["viridis"](np.linspace(0.1, 0.92, count))
        return [{"facecolor": tuple(shade)} for shade in shades.tolist()]
    found: list[dict[str, Any]] = [
        {"facecolor": f"C{number}", "linewidth": 0} for number in range(count)
    ]
    lightness = [_lightness(look["facecolor"]) for look in found]
    hatches = itertools.cycle(_HATCHES)
    for number, (look, mine) in enumerate(zip(found, lightness, strict=True)):
        if any(abs(mine - other) < _ALIKE for other in lightness[:number]):
            look.update(hatch=next(hatches), edgecolor="0.1" if mine > _MIDDLE else "0.95")
    return found


def colour_map() -> Colormap:
    """Choose the user's map, which is viridis unless set, turned so that more stands out more."""
    chosen = mpl.colormaps[mpl.rcParams["image.cmap"]]
    page_is_light = _lightness(mpl.rcParams["text.color"]) < _MIDDLE
    gets_lighter = _lightness(chosen(0.0)) < _lightness(chosen(1.0))
    return chosen.reversed() if gets_lighter == page_is_light else chosen


def _lightness(colour: ColorType) -> float:
    return float(to_rgb(colour) @ _LUMINANCE)


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
