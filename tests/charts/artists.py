"""What stands in a picture, for these tests to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle, StepPatch

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import ColorType


class Bar(NamedTuple):
    """A bar that stands in a stack."""

    place: float
    base: float
    height: float


def layers(ax: Axes) -> dict[str, list[Bar]]:
    """List the bars of each layer that have a height, by the layer's label."""
    return {str(layer.get_label()): _bars(layer) for layer in _steps(ax)}


def colours(ax: Axes) -> dict[str, ColorType]:
    """Tell the colour of each layer."""
    return {str(layer.get_label()): layer.get_facecolor() for layer in _steps(ax)}


def figure_of(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert figure is not None
    return figure


def looks(ax: Axes) -> dict[str, tuple[ColorType, str | None]]:
    """Tell the colour and the hatch of each layer."""
    return {
        str(layer.get_label()): (layer.get_facecolor(), layer.get_hatch()) for layer in _steps(ax)
    }


def bars(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def words(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def panels(ax: Axes) -> list[Axes]:
    return [panel for panel in ax.child_axes if isinstance(panel, Axes)]


def _steps(ax: Axes) -> list[StepPatch]:
    return [patch for patch in ax.patches if isinstance(patch, StepPatch)]


def _bars(layer: StepPatch) -> list[Bar]:
    tops, edges, bases = layer.get_data()
    places = (edges[:-1] + edges[1:]) / 2
    heights = tops - np.asarray(bases)
    drawn = np.isfinite(tops) & (heights != 0) & (np.diff(edges) > 0)
    rows = zip(places[drawn], np.asarray(bases)[drawn], heights[drawn], strict=True)
    return [Bar(*map(float, row)) for row in rows]
