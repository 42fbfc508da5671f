"""Pictures of breakdowns and calls: matplotlib Axes in and out.

Every function takes ``ax=``, draws there and returns it; without one it makes a figure through
pyplot, as pandas does, so that a notebook shows it. Nothing else of matplotlib's global state is
touched. Style sheets and rcParams hold; colours come from the user's own cycle where there is one,
and are told apart without colour vision or in print otherwise.
"""

from callkit.charts.cost import cost
from callkit.charts.duration import duration

__all__ = ["cost", "duration"]
