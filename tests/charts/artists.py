"""What stands in a picture, for these tests to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle

if TYPE_CHECKING:
    from collections.abc import Iterable


def layers(ax: Axes) -> dict[str, list[Rectangle]]:
    """List the bars of each layer that have a height, by the layer's label."""
    return {
        str(layer.get_label()): [bar for bar in _bars(layer.patches) if bar.get_height()]
        for layer in ax.containers
        if isinstance(layer, BarContainer)
    }


def bars(ax: Axes) -> list[Rectangle]:
    return _bars(ax.patches)


def words(ax: Axes) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def panels(ax: Axes) -> list[Axes]:
    return [panel for panel in ax.child_axes if isinstance(panel, Axes)]


def _bars(patches: Iterable[object]) -> list[Rectangle]:
    return [patch for patch in patches if isinstance(patch, Rectangle)]
