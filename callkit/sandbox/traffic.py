"""How the server is set to behave, and what it has seen."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Conditions", "Traffic"]


class Conditions(NamedTuple):
    """Seconds that a look-up takes, requests in flight at most, and the advice beside a 429."""

    latency: float = 0.0
    limit: int | None = None
    retry_after: int | None = None


@dataclass(slots=True)
class Traffic:
    """Requests in flight, the most there ever were, and the answers by status."""

    in_flight: int = 0
    peak: int = 0
    served: Counter[int] = field(default_factory=Counter)

    def arrive(self) -> int:
        """Count a request in; the result includes it."""
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self.in_flight

    def leave(self) -> None:
        """Count a request out."""
        self.in_flight -= 1
