"""Calls for pictures to be made of: lifelike, and the same whatever becomes of the sandbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np

from tests.breakdown.synthetic import calls

if TYPE_CHECKING:
    import pandas as pd

_BY_HOUR = [1, 1, 0, 0, 0, 1, 4, 12, 30, 48, 52, 46, 34, 40, 50, 54, 46, 30, 16, 9, 6, 4, 3, 2]
_BY_WEEKDAY = [10, 9, 9, 9, 8, 3, 2]
_DIRECTIONS = [
    ("inbound", 0.45, 0.0085),
    ("outbound-api", 0.8, 0.014),
    ("outbound-dial", 1, 0.013),
]
_STATUSES = [
    *(("completed", 0.8), ("no-answer", 0.88), ("busy", 0.93), ("canceled", 0.96)),
    *(("failed", 0.985), ("in-progress", 0.99), ("ringing", 0.995), ("queued", 1)),
]


def traffic(
    count: int, *, days: int = 28, currency: str = "USD", seed: int = 1, dear: float = 1.0
) -> pd.DataFrame:
    """Draw calls over some days from Monday, 2025-03-03, in office hours mostly."""
    draws = np.random.default_rng(seed).random((count, 6))
    return calls(*[_call(row.tolist(), days, currency, dear) for row in draws])


def _call(draws: list[float], days: int, currency: str, dear: float) -> dict[str, str | None]:
    day = _pick(np.resize(_BY_WEEKDAY, days).tolist(), draws[0])
    hour = _pick(_BY_HOUR, draws[1])
    start = datetime(2025, 3, 3, hour, tzinfo=UTC) + timedelta(
        days=day, seconds=int(3600 * draws[2])
    )
    status = next(name for name, until in _STATUSES if draws[3] < until)
    share = draws[4]
    direction, rate = next((name, rate) for name, until, rate in _DIRECTIONS if share < until)
    lasted = int(90 * (-np.log(1 - draws[5])) ** 1.4) + 1 if status == "completed" else 0
    price = -rate * dear * -(-lasted // 60) if status == "completed" else None
    return {
        "status": status,
        "direction": direction,
        "duration": str(lasted),
        "price": None if price is None else f"{price:.4f}",
        "price_unit": currency,
        **_moments(status, start, lasted),
    }


def _moments(status: str, start: datetime, lasted: int) -> dict[str, str | None]:
    if status == "queued":
        return {}
    up = status in {"in-progress", "ringing"}
    end = None if up else (start + timedelta(seconds=lasted)).isoformat()
    return {"start": start.isoformat(), "end": end}


def _pick(weights: list[int], draw: float) -> int:
    return int(np.searchsorted(np.cumsum(weights), draw * sum(weights), side="right"))
