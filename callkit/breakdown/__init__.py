"""Frames of calls broken down by period and key: what they cost, and where the minutes went.

Reading order: ``keys``, ``parties`` and ``periods`` say what a call is grouped by, ``groups`` puts
calls that share their keys together, ``cost`` and ``duration`` measure each group, exactly
(``exact``), ``tables`` lays the groups out. ``trees`` and ``in_progress`` group by other things: by
root, and by being up at once. ``summary`` puts all on one page.
"""

from callkit.breakdown.cost import cost_breakdown
from callkit.breakdown.duration import duration_breakdown
from callkit.breakdown.in_progress import calls_in_progress
from callkit.breakdown.summary import Summary, summary
from callkit.breakdown.trees import roll_up

__all__ = [
    "Summary",
    "calls_in_progress",
    "cost_breakdown",
    "duration_breakdown",
    "roll_up",
    "summary",
]
