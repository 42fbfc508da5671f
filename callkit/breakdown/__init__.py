"""Frames of calls broken down by period and key: what they cost, and where the minutes went.

Reading order: ``exact`` reads columns of calls and makes columns of results, ``keys`` defines what
calls are grouped by, ``groups`` groups them and lays out the result, ``breakdowns`` computes the
columns that ``measures`` describes. ``trees`` groups legs by the call that created them,
``in_progress`` counts simultaneous calls, ``overview`` is the summary.
"""

from callkit.breakdown.breakdowns import cost_breakdown, duration_breakdown
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
