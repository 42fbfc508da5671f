"""Frames of calls broken down by period and key: what they cost, and where the minutes went.

Reading order: ``keys`` and ``periods`` say what a call is grouped by, ``groups`` puts calls that
share their keys together, ``cost`` and ``duration`` measure each group, exactly (``exact``).
"""

from callkit.breakdown.cost import cost_breakdown
from callkit.breakdown.duration import duration_breakdown

__all__ = ["cost_breakdown", "duration_breakdown"]
