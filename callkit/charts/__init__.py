"""Pictures of breakdowns and calls: matplotlib Axes in and out.

Every function takes ``ax=``, draws there and returns it; without one it makes a figure through
pyplot, as pandas does, so that a notebook shows it. Nothing else of matplotlib's global state is
touched. Title and notes take some lines above the Axes: create your own figures with
``layout="constrained"``, which leaves room for them.

Style sheets and rcParams apply; colours come from the user's own cycle if there is one, and can
otherwise be distinguished without colour vision or in print. Only statuses have their own colours,
the same in every picture.
"""

from callkit.charts.bars import cost, in_progress, status
from callkit.charts.distributions import duration, heat_map

__all__ = ["cost", "duration", "heat_map", "in_progress", "status"]
