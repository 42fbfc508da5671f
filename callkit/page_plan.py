"""Which UTC days of an account are listed to find the calls of a SID list, and how far.

A page costs one slow request, and saves a quick one for each call found on it. Both are measured in
seconds in flight, since what limits a run is how many requests may be in flight at once.

- *Where the calls are* is what a user says, or what a sample shows: if a twelfth of the sample
  started on a day, so did about a twelfth of all. Days with a single call in the sample tell how
  many calls are on days that it missed (Good and Turing); these are shared among the days nearby.
- *The first page of a day* is a bet on that, corrected by what earlier first pages had. So is a
  further page of which more is expected than the page before had.
- *Any other page* is requested if as many calls as on the page before would be worth it.
- *Bets* may lose a small share of what all calls would cost one by one, and no more.
- *Single requests* go on beside pages, in what room these leave, until pages alone find calls
  faster than single requests alone would.

Where costs do not count (``always``), every day that has calls is listed while that brings some,
and single requests wait for pages that are on time.

Nothing here reads a clock or waits: time is an argument, and `tests/page_simulator.py` runs these
rules against a simulated server.
"""

from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from callkit.fetch.pages import PAGE_SIZE

_SHORT = PAGE_SIZE  # calls: a list of no more is fetched one by one
_SAMPLE = 64  # calls
_SAMPLED_AT_MOST = 1 / 16  # of a list that is short
_LOST_AT_MOST = 0.025  # of what all calls would cost one by one
_FIRST_PAGE = 20.0  # calls that a page costs, until one has been measured
_RECENT = 25  # first pages that tell what the next one will have
_BARREN = 3  # pages in a row without an asked call, where costs do not count
_LONGEST = 3_653  # days between the first and the last of a sample: more, and one is wrong
_LATE = 2.0  # times as long as expected: nothing is expected of a page any more


@dataclass(frozen=True, slots=True)
class Seen:
    """What a page had: ``through`` is which share of the day the pages have gone through so far.

    It is None if the start times do not tell.
    """

    found: int
    seconds: float
    is_last: bool
    through: float | None = None


@dataclass(slots=True)
class _Listing:
    """A day that is being listed."""

    expected: float  # calls asked for that it has
    asked_at: float  # when its next page was requested
    due: float  # calls expected on that page
    seconds: float  # and how long it may take
    stake: float  # of these, what counts as lost until the page is there
    found: int = 0
    barren: int = 0
    pages: int = 0


class PagePlan:
    """Decides for the calls of one account.

    ``calls`` are those that are still wanted, and ``call_seconds`` is what a single request takes.
    """

    def __init__(self, calls: int, in_flight: int, *, always: bool = False) -> None:
        self.calls = self._at_first = calls
        self.call_seconds = 0.1
        self._in_flight = in_flight
        self.always = always
        self._expected: dict[date, float] = {}  # calls, of days not listed yet
        self._under_way: dict[date, _Listing] = {}
        self._listed: set[date] = set()
        self._had: deque[tuple[int, float]] = deque(maxlen=_RECENT)  # calls found, and expected
        self._took: deque[float] = deque(maxlen=_RECENT)  # seconds
        self._lost = 0.0
        self._news = 0  # calls found since the last sample
        self._sampled = False
        self.is_stopped = False

    @property
    def sample_size(self) -> int:
        """How many calls, spread evenly over those still wanted, are to be fetched first."""
        if self.is_stopped or self._under_way or self.worthwhile(1):
            return 0
        if (self.calls <= _SHORT and not self.always) or (self._sampled and not self._news):
            return 0
        return self.first_calls

    @property
    def first_calls(self) -> int:
        """How many calls, spread over the list, are fetched before all others."""
        return min(_SAMPLE, max(1, round(self.calls * _SAMPLED_AT_MOST)))

    @property
    def under_way(self) -> int:
        """How many days are being listed."""
        return len(self._under_way)

    @property
    def is_over(self) -> bool:
        """Whether nothing but single requests is left."""
        return not (self._under_way or self.sample_size or self.worthwhile(1))

    def stop(self) -> None:
        """List nothing any more: the server does not let us."""
        self.is_stopped = True
        self._under_way.clear()

    def told(self, days: Mapping[date, float]) -> None:
        """Take the user's word for how many calls started on each day."""
        if self.calls > _SHORT or self.always:
            self._expected = dict(days)

    def sampled(self, days: Sequence[date | None]) -> None:
        """Learn on which days a sample of the wanted calls started; None if one did not."""
        if not self._sampled:  # days that were listed before were the user's guess
            self._had.clear()
        self._sampled, self._news = True, 0
        started = Counter(day for day in days if day is not None)
        for day in self._listed:
            del started[day]
        each = self.calls / max(1, len(days))
        self._expected = {day: number * each for day, number in started.items()}
        if started and not self.always:
            missed = _days_about(started, len(days)) - started.keys() - self._listed
            alone = sum(number == 1 for number in started.values())
            self._expected |= {day: alone * each / len(missed) for day in missed}

    def worthwhile(self, most: int) -> list[date]:
        """Return up to `most` days of which the first page is worth a request, the best first."""
        if self.is_stopped or not self.calls:
            return []
        days: list[date] = []
        seconds = self._seconds_of_first()
        staked = sum(listing.stake for listing in self._under_way.values())
        for day in sorted(self._expected, key=lambda day: (-self._expected[day], day))[:most]:
            worth = self._due(self._expected[day]) * self.call_seconds > seconds
            staked += seconds
            if not self.always and not (worth and self._may_lose(staked)):
                break
            days.append(day)
        return days

    def begin(self, day: date, now: float) -> None:
        """Note that the first page of a day is requested."""
        expected, seconds = self._expected.pop(day), self._seconds_of_first()
        self._listed.add(day)
        # Of the first pages of all, no calls are counted on.
        due = self._due(expected) if self._had else 0.0
        self._under_way[day] = _Listing(expected, now, due, seconds, stake=seconds)

    def go_on(self, day: date, seen: Seen, now: float) -> bool:
        """Learn what a page had, and decide whether the day's next one is requested."""
        listing = self._under_way.get(day)
        if listing is None:
            return False
        self._lost += max(0.0, seen.seconds - seen.found * self.call_seconds)
        self._news += seen.found
        if not listing.pages:
            self._had.append((seen.found, min(listing.expected, PAGE_SIZE)))
            self._took.append(seen.seconds)
        listing.found += seen.found
        listing.pages += 1
        listing.barren = 0 if seen.found else listing.barren + 1
        listing.stake, listing.seconds, listing.asked_at = 0.0, seen.seconds, now
        listing.due = float(seen.found)
        if not seen.is_last and self._worth_another(listing, seen):
            return True
        del self._under_way[day]
        return False

    def fail(self, day: date) -> None:
        """Learn that a page could not be had."""
        listing = self._under_way.pop(day, None)
        if listing is not None:
            self._lost += listing.seconds

    def singly_too(self, now: float) -> bool:
        """Whether calls are fetched one by one in the room that pages leave."""
        on_time = [
            listing
            for listing in self._under_way.values()
            if now - listing.asked_at <= _LATE * listing.seconds
        ]
        if self.always:
            return not on_time
        rate = sum(listing.due / listing.seconds for listing in on_time)
        return rate * self.call_seconds < self._in_flight

    def _worth_another(self, listing: _Listing, seen: Seen) -> bool:
        if self.always:
            return listing.barren < _BARREN
        if seen.found * self.call_seconds > seen.seconds:
            return True
        if not seen.through:
            return False
        left = max(1.0, listing.pages * (1.0 - seen.through) / seen.through)
        hoped = min((listing.expected - listing.found) / left, PAGE_SIZE, self.calls)
        if hoped * self.call_seconds <= seen.seconds:
            return False
        staked = sum(each.stake for each in self._under_way.values())
        listing.stake = seen.seconds
        return self._may_lose(staked + seen.seconds)

    def _due(self, expected: float) -> float:
        """Return how many calls the first page of a day will have, by what others had."""
        found, hoped = map(sum, zip(*self._had, strict=True)) if self._had else (0, 0)
        share = found / hoped if hoped else 1.0
        return min(expected * share, PAGE_SIZE, self.calls)

    def _seconds_of_first(self) -> float:
        if not self._took:
            return _FIRST_PAGE * self.call_seconds
        return sum(self._took) / len(self._took)

    def _may_lose(self, staked: float) -> bool:
        return self._lost + staked <= _LOST_AT_MOST * self._at_first * self.call_seconds


def _days_about(days: Collection[date], sample: int) -> set[date]:
    """Return all days between some, and as many beyond as lie between two calls of the sample."""
    first, last = min(days), max(days)
    between = (last - first).days
    if between > _LONGEST:
        return set()
    beyond = 1 + between // sample
    return {first + timedelta(days=n) for n in range(-beyond, between + beyond + 1)}
