"""Pictures of breakdowns and calls: matplotlib Axes in and out.

Every function takes ``ax=``, draws there and returns it; without one it makes a figure through
pyplot, as pandas does, so that a notebook shows it. Nothing else of matplotlib's global state is
touched. Title and notes take some lines above the Axes: make figures of your own with
``layout="constrained"``, which leaves them room.

Style sheets and rcParams hold; colours come from the user's own cycle where there is one, and are
told apart without colour vision or in print otherwise. Only statuses have colours of their own, the
same in every picture.
"""

from callkit.charts.bars import cost, status
from callkit.charts.distributions import duration, heat_map, in_progress

__all__ = ["cost", "duration", "heat_map", "in_progress", "status"]
