"""Frames of calls broken down by period and key: what they cost, and where the minutes went.

Reading order: ``columns`` reads a frame of calls and makes columns of results, ``keys`` and
``periods`` define what a call is grouped by, ``groups`` groups the calls and
lays out the table, ``cost`` and ``duration`` measure each group; ``measures`` lists what they give.
``trees`` and ``in_progress`` group by other things: by root, and by being up at once. ``summary``
puts all on one page.
"""

from callkit.breakdown.cost import cost_breakdown
from callkit.breakdown.duration import duration_breakdown
from callkit.breakdown.in_progress import calls_in_progress
from callkit.breakdown.overview import Summary, summary
from callkit.breakdown.trees import roll_up

__all__ = [
    "Summary",
    "calls_in_progress",
    "cost_breakdown",
    "duration_breakdown",
    "roll_up",
    "summary",
]
