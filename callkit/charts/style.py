"""What all charts share: reading breakdowns, layout, colours, and how numbers are written.

Sizes are in points, measured on the Axes as it will be drawn, so that labels fit at any size.
"""

import itertools
import textwrap
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, cast

import matplotlib as mpl
import numpy as np
import pandas as pd
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

from callkit.errors import FrameError

_LINE = 1.45  # the height of a line of text, in font sizes
_LETTER = 0.55  # the width of a letter, in font sizes
_MOST_LEGEND = 0.6  # the share of the Axes that a legend may take
_SMALLEST = 4.0  # the size of the smallest letters that can be read
_AND = " · "
_MIDDLE = 0.5
_ALIKE = 0.1  # lightness that greyscale does not tell apart


def groups_of(table: object, columns: Iterable[str], expected: str) -> pd.DataFrame:
    """Check that a breakdown has `columns`, and its periods a zone; leave out rows of totals."""
    if (
        not isinstance(table, pd.DataFrame)
        or not set(columns) <= set(table.columns)
        or ("period" in table and not isinstance(table["period"].dtype, pd.DatetimeTZDtype))
    ):
        raise FrameError(expected)
    if "total_over" not in table.columns:
        return table
    return table[table["total_over"].isna()].drop(columns="total_over")


def zone_of(breakdown: pd.DataFrame) -> str:
    """Write the zone of hours and weekdays, in brackets, if the attributes of the frame have it."""
    said = breakdown.attrs.get("callkit")
    zone = said.get("tz") if isinstance(said, dict) else None
    return f" ({zone})" if zone else ""


def currency_of(breakdown: pd.DataFrame) -> pd.Series:
    currency = breakdown["price_unit"].astype(object)
    return currency.where(currency.notna(), "no currency")


def currencies_in(breakdown: pd.DataFrame) -> list[str]:
    """List the currencies in which something has a price, in the order of their codes."""
    return sorted(currency_of(breakdown)[breakdown["cost"].notna()].unique())


def cost_of(rows: pd.DataFrame) -> str:
    (currency,) = currencies_in(rows)
    return f"{amount(rows['cost'].sum())} {currency}"


def notes_by_currency(
    breakdown: pd.DataFrame, currencies: Sequence[str], notes: Callable[[pd.DataFrame], list[str]]
) -> list[list[str]]:
    """Return the notes of each currency, the last with what the panels of all of them leave out."""
    if len(currencies) <= 1:
        return [notes(breakdown)]
    mine = currency_of(breakdown)
    found = [notes(breakdown[mine == currency]) for currency in currencies]
    elsewhere = int(breakdown.loc[~mine.isin(currencies), "unpriced_calls"].sum())
    if elsewhere:
        found[-1].append(f"in no currency above, completed calls not priced yet: {elsewhere:,}")
    return found


def head(ax: Axes | None, title: str, notes: Sequence[str]) -> Axes:
    return panels_in(ax, title, [notes])[0]


def panels_in(
    ax: Axes | None, title: str, notes: Sequence[Sequence[str]], *, width: float = 1.0
) -> tuple[Axes, list[Axes]]:
    """Write the title, and below it put panels, one below the other, each with its notes.

    A single panel is the Axes itself; several share its place. `width` is the share of its width
    that several take, if something is to be drawn beside each.
    """
    ax = _new_axes(len(notes)) if ax is None else ax
    if len(notes) == 1:
        panels, width = [ax], 1.0
    else:
        ax.set_axis_off()
        panels = [ax.inset_axes((0, 0, width, 1)) for _ in notes]
    said = [_broken(lines, size_of(ax)[0] * width) for lines in notes]
    heights = [len(lines) * _LINE * _points("small") for lines in said]
    side = mpl.rcParams["axes.titlelocation"]
    place = {"left": 0.0, "center": 0.5, "right": 1.0}[side]
    pad = mpl.rcParams["axes.titlepad"] + heights[0]
    literal = title.replace("$", r"\$")  # matplotlib wraps as if it parsed, whatever parse_math is
    ax.set_title(literal, x=place * width, pad=pad, wrap=True, parse_math=True)
    if len(panels) > 1:
        _share(ax, panels, width, heights)
    for panel, lines in zip(panels, said, strict=True):
        panel.annotate(
            "\n".join(lines),
            xy=(place, 1),
            xycoords="axes fraction",
            xytext=(0, 4),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize="small",
            parse_math=False,
        )
    lay_out(ax)
    return ax, panels


def _new_axes(panels: int) -> Axes:
    import matplotlib.pyplot as plt  # noqa: PLC0415 - pyplot is for who brings no Axes

    width, height = mpl.rcParams["figure.figsize"]
    return plt.subplots(figsize=(width, height * (0.4 + 0.6 * panels)), layout="constrained")[1]


def _share(ax: Axes, panels: Sequence[Axes], width: float, heads: Sequence[float]) -> None:
    """Have the panels share the Axes evenly, with room between them for axes and heads."""
    below = 5 * _points("medium")  # the axis and its label
    gaps = [0.0, *(below + head for head in heads[1:])]
    for number, panel in enumerate(panels):

        def locate(_panel: _AxesBase, _renderer: object, number: int = number) -> Bbox:
            whole = size_of(ax)[1]
            height = max(whole - sum(gaps), 0.2 * whole) / len(panels)
            between = (whole - len(panels) * height) / sum(gaps)
            top = whole - number * height - sum(gaps[: number + 1]) * between
            box = Bbox.from_extents(0, (top - height) / whole, width, top / whole)
            return box.transformed(ax.transAxes - cast("Figure", ax.get_figure()).transSubfigure)

        panel.set_axes_locator(locate)


def _broken(notes: Sequence[str], width: float) -> list[str]:
    """Break notes that are much wider than the Axes, between statements where that is possible."""
    most = max(1, int(width * 1.1 / (_LETTER * _points("small"))))
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
    ax.set(xticks=[], yticks=[])
    ax.text(0.5, 0.5, reason, transform=ax.transAxes, ha="center", va="center")


def legend_above(ax: Axes, layers: Sequence[Artist] = ()) -> None:
    """Put the legend inside, above all that is drawn, so that it neither hides nor is cut off.

    It names what has a label, and `layers` even by one that begins with ``_``, which matplotlib
    would leave out.
    """
    lay_out(ax)
    others = [artist for artist in ax.get_legend_handles_labels()[0] if artist not in layers]
    handles = [*others, *layers]
    labels = [str(artist.get_label()) for artist in handles]
    width, height = size_of(ax)
    letters = max(map(len, labels)) + 8  # for the colour patch and spaces
    size = _points("small")
    while True:
        columns = max(1, min(len(labels), int(width / (letters * _LETTER * size))))
        tall = (-(-len(labels) // columns) + 1) * _LINE * size
        if tall <= _MOST_LEGEND * height or size <= _SMALLEST:
            break
        size -= 0.5
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
    figure = cast("Figure", ax.get_figure(root=True))
    if engine := figure.get_layout_engine():
        engine.execute(figure)


def size_of(ax: Axes) -> tuple[float, float]:
    locate = ax.get_axes_locator()
    if locate is not None:
        ax.apply_aspect(locate(ax, None))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    box, dpi = ax.get_window_extent(), ax.figure.dpi
    return box.width * 72 / dpi, box.height * 72 / dpi


def _points(size: str | float) -> float:
    return FontProperties(size=size).get_size_in_points()


def looks(count: int) -> list[dict[str, Any]]:
    """Choose looks by lightness, for greyscale; a user's own colours are hatched where alike."""
    cycle = mpl.rcParams["axes.prop_cycle"]
    if count > 1 and cycle == mpl.rcParamsDefault["axes.prop_cycle"]:
        shades = mpl.colormaps["viridis"](np.linspace(0.1, 0.92, count))
        return [{"facecolor": tuple(shade)} for shade in shades.tolist()]
    found: list[dict[str, Any]] = [
        {"facecolor": f"C{number}", "linewidth": 0} for number in range(count)
    ]
    lightness = [_lightness(look["facecolor"]) for look in found]
    hatches = itertools.cycle(("///", "...", "xxx", "---", "ooo"))
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
    return float(np.dot(to_rgb(colour), (0.2126, 0.7152, 0.0722)))


def thousands(axis: Axis) -> None:
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
