"""Where things stand in a picture: panels, title, notes and legend, whatever the size of letters.

Sizes are in points. What is measured is the Axes as it will be drawn, so that labels fit in small
figures and in large letters too.
"""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, cast

import matplotlib as mpl
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import Bbox

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.axes._base import _AxesBase
    from matplotlib.figure import Figure

__all__ = [
    "empty",
    "font_for",
    "head",
    "lay_out",
    "legend_above",
    "most_labels",
    "new_axes",
    "panels_in",
    "size_of",
    "width_of",
]

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


def new_axes(panels: int = 1) -> Axes:
    """Make a figure that notebooks show, and the Axes in it."""
    import matplotlib.pyplot as plt  # noqa: PLC0415 - pyplot is for who brings no Axes

    width, height = mpl.rcParams["figure.figsize"]
    size = (width, height * (0.4 + 0.6 * panels))
    return plt.subplots(figsize=size, layout="constrained")[1]


def head(ax: Axes, title: str, notes: Sequence[str]) -> None:
    """Write the title, and below it, smaller, the notes."""
    panels_in(ax, title, [notes])


def panels_in(
    ax: Axes, title: str, notes: Sequence[Sequence[str]], *, width: float = 1.0
) -> list[Axes]:
    """Write the title, and under it put panels in the place of an Axes, each with its notes.

    The panels stand one under the other; a single one is the Axes itself. `width` is the share of
    the place that several take, where something is to stand beside each.
    """
    if len(notes) == 1:
        panels, width = [ax], 1.0
    else:
        ax.set_axis_off()
        panels = [ax.inset_axes((0, 0, width, 1)) for _ in notes]
    said = [_broken(lines, size_of(ax)[0] * width) for lines in notes]
    place = _PLACES[mpl.rcParams["axes.titlelocation"]]
    pad = mpl.rcParams["axes.titlepad"] + _height(said[0])
    literal = title.replace("$", r"\$")  # matplotlib wraps as if it parsed, whatever parse_math is
    ax.set_title(literal, x=place * width, pad=pad, wrap=True, parse_math=True)
    if len(panels) > 1:
        _stand(ax, panels, width, [_height(lines) for lines in said])
    for panel, lines in zip(panels, said, strict=True):
        _note(panel, lines)
    lay_out(ax)
    return panels


def _stand(ax: Axes, panels: Sequence[Axes], width: float, heads: Sequence[float]) -> None:
    """Have the panels share the place evenly, with room between them for axes and heads."""
    gaps = [0.0, *(_BELOW * _points("medium") + head for head in heads[1:])]

    def locator(number: int) -> Callable[[_AxesBase, object], Bbox]:
        def locate(_panel: _AxesBase, _renderer: object) -> Bbox:
            whole = size_of(ax)[1]
            height = max((whole - sum(gaps)) / len(panels), _PANEL * whole / len(panels))
            between = (whole - len(panels) * height) / sum(gaps)
            top = whole - number * height - sum(gaps[: number + 1]) * between
            box = Bbox.from_extents(0, (top - height) / whole, width, top / whole)
            return box.transformed(ax.transAxes - cast("Figure", ax.get_figure()).transSubfigure)

        return locate

    for number, panel in enumerate(panels):
        panel.set_axes_locator(locator(number))


def _note(ax: Axes, lines: Sequence[str]) -> None:
    place = mpl.rcParams["axes.titlelocation"]
    ax.annotate(
        "\n".join(lines),
        (_PLACES[place], 1),
        xycoords="axes fraction",
        xytext=(0, _NOTE),
        textcoords="offset points",
        ha=place,
        va="bottom",
        fontsize="small",
        parse_math=False,
    )


def empty(ax: Axes, reason: str) -> None:
    """Say why there is nothing to see."""
    ax.set_xticks([])
    ax.set_yticks([])
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
    letters = max(len(label) for label in labels) + _HANDLE
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
    return min(_points(size), max(_SMALLEST, size_of(ax)[1] / max(lines, 1) / _LINE))


def most_labels(ax: Axes, letters: int) -> int:
    """Say how many labels of so many letters fit along the width, in the size of its ticks."""
    wide = (letters + 1) * _LETTER * _points(mpl.rcParams["xtick.labelsize"])
    return max(2, int(size_of(ax)[0] / wide))


def width_of(labels: Sequence[str], size: float) -> float:
    """Estimate how wide the longest of the labels is."""
    return (max(map(len, labels), default=0) + 1) * _LETTER * size


def lay_out(ax: Axes) -> None:
    """Give the Axes the size that it will be drawn in."""
    figure = _root(ax)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)


def size_of(ax: Axes) -> tuple[float, float]:
    """Measure an Axes: its width and height."""
    locate = ax.get_axes_locator()
    if locate is not None:
        ax.apply_aspect(locate(ax, None))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    box, dpi = ax.get_window_extent(), _root(ax).dpi
    return box.width * 72 / dpi, box.height * 72 / dpi


def _broken(notes: Sequence[str], width: float) -> list[str]:
    """Break notes that are too wide, between what they say rather than within."""
    most = max(1, int(width * _OVERHANG / (_LETTER * _points("small"))))
    lines = []
    for note in notes:
        said, *others = note.split(_AND)
        for other in others:
            if len(said + _AND + other) > most:
                lines.append(said)
                said = other
            else:
                said += _AND + other
        lines.append(said)
    return [piece for line in lines for piece in textwrap.wrap(line, most)]


def _height(lines: Sequence[str]) -> float:
    return len(lines) * _LINE * _points("small")


def _root(ax: Axes) -> Figure:
    return cast("Figure", ax.get_figure(root=True))


def _points(size: str | float) -> float:
    return FontProperties(size=size).get_size_in_points()
