"""What a user says of pages: whether to request them, and when the calls of a SID list started."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from callkit.call_list import Moment, Range, range_between
from callkit.paging import Pages
from callkit.sids import SidSource

_PAIR = "expected a pair of dates or datetimes, such as ('2025-03-01', '2025-04-01')"


@dataclass(frozen=True)
class PageOptions:
    """Three options of :func:`callkit.to_frame`, which documents them, checked as they are made.

    What is known of the calls is kept with ``pages=False`` too, and checked, so that pages can be
    turned off without another change.
    """

    pages: Pages
    started: Sequence[Moment] | None
    date_column: str | None

    def __post_init__(self) -> None:
        if not isinstance(self.pages, bool) and self.pages != "auto":
            raise ValueError(f"Invalid pages {self.pages!r}: expected 'auto', True or False")
        if self.started is not None and self.date_column is not None:
            raise ValueError("Pass either started or date_column: one is enough to find the calls")
        _ = self.range

    @property
    def range(self) -> Range | None:
        return None if self.started is None else range_between(self.started, UTC, _PAIR)

    def check_length_known(self, calls: SidSource) -> None:
        if self.pages is True and isinstance(calls, Iterator):
            raise ValueError(
                "pages=True needs a list of known length, since it is looked at as a whole: pass "
                "list(…) instead of a generator"
            )

    @property
    def given(self) -> list[str]:
        """The names of those that were passed."""
        passed = {
            "pages": self.pages != "auto",
            "started": self.started is not None,
            "date_column": self.date_column is not None,
        }
        return [name for name, is_passed in passed.items() if is_passed]
