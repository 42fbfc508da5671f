"""How the server is set to behave, and what it has seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Conditions", "Traffic"]


@dataclass(slots=True)
class Conditions:
    """Seconds that a look-up takes, requests in flight at most, and the advice beside a 429."""

    latency: float = 0.0
    limit: int | None = None
    retry_after: int | None = None

    def refuse(self, in_flight: int) -> bool:
        """Say whether the last of `in_flight` requests is one too many."""
        limit = self.limit  # another thread may be moving it
        return limit is not None and in_flight > limit


@dataclass(slots=True)
class Traffic:
    """Requests in flight, the most there ever were, and the answers by status.

    The foreign load's requests are in flight like any other, and counted apart besides.
    """

    in_flight: int = 0
    peak: int = 0
    served: Counter[int] = field(default_factory=Counter)
    foreign_asked: int = 0
    foreign_refused: int = 0

    def arrive(self) -> int:
        """Count a request in; the result includes it."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self.in_flight

    def leave(self) -> None:
        """Count a request out."""
        self.in_flight -= 1
