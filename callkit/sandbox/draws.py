"""Repeatable chance: draws from a keyed hash, a permutation of numbers, and when calls happen.

Seeding a generator costs more than a call is worth, and the standard library promises the sequence
of ``random.Random`` for few of its methods; a hash gives the same calls on every machine.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import accumulate, count
from math import exp
from statistics import NormalDist
from struct import unpack
from typing import Generic, TypeVar

T = TypeVar("T")

_BEGIN = datetime(2025, 1, 1, tzinfo=UTC)
# The sandbox's now unless another is set, so that every run serves the same calls: what has not
# ended by then is still in progress, and what ended shortly before may not be priced yet.
AS_OF = datetime(2025, 4, 1, tzinfo=UTC)

_RANGE = 1 << 32
_normal_quantile = NormalDist().inv_cdf
_BY_HOUR = (2, 1, 1, 1, 1, 2, 5, 14, 40, 78, 95, 92, 70, 74, 88, 86, 78, 62, 42, 30, 22, 14, 8, 4)
_BY_WEEKDAY = (1.15, 1.08, 1.0, 1.02, 0.94, 0.34, 0.2)
# The period ends in a rush, so that some calls among ten thousand are live: its bounds in minutes
# from AS_OF, and the shares of all calls between them. The last ones still wait in the queue.
_RUSH_MINUTES = (-30, -2, 0, 5)
_RUSH_SHARES = (0.0030, 0.0050, 0.0025)


class Mix(Generic[T]):
    """Values and how often each comes; the weights need not add up to anything."""

    def __init__(self, weights: Mapping[T, float]) -> None:
        self._values = list(weights)
        self._edges = list(accumulate(weights.values()))
        self._total = self._edges.pop()

    def at(self, share: float) -> T:
        return self._values[bisect_right(self._edges, share * self._total)]


class Draws:
    """The numbers drawn for one subject, one after the other: `word` draws one of 32 bits."""

    def __init__(self, key: bytes, subject: bytes) -> None:
        self.word = _words(key, subject).__next__

    def share(self) -> float:
        return self.word() / _RANGE

    def chance(self, probability: float) -> bool:
        return self.word() < probability * _RANGE

    def between(self, low: int, high: int) -> int:
        return low + self.word() * (high - low + 1) // _RANGE

    def one_of(self, values: Sequence[T]) -> T:
        return values[self.word() * len(values) // _RANGE]

    def from_mix(self, mix: Mix[T]) -> T:
        return mix.at(self.share())

    def long_tailed(self, median: float, spread: float) -> float:
        return median * exp(spread * _normal_quantile((self.word() + 0.5) / _RANGE))

    def hexadecimal(self, digits: int) -> str:
        return "".join(f"{self.word():08x}" for _ in range(digits // 8))


def _words(key: bytes, subject: bytes) -> Iterator[int]:
    for block in count():
        digest = blake2b(subject, key=key, salt=block.to_bytes(8, "big")).digest()
        yield from reversed(unpack("<16I", digest))


class Permutation:
    """A Feistel network over a keyed hash: each number below 2**128 has one image and one origin.

    Four rounds are indistinguishable from chance (Luby and Rackoff, 1988).
    """

    def __init__(self, key: bytes) -> None:
        self._rounds = [blake2b(bytes([i]), key=key, digest_size=8) for i in range(4)]

    def image(self, number: int) -> int:
        left, right = self._through(self._rounds, *divmod(number, 1 << 64))
        return left << 64 | right

    def origin(self, image: int) -> int:
        left, right = divmod(image, 1 << 64)
        right, left = self._through(self._rounds[::-1], right, left)
        return left << 64 | right

    def _through(self, rounds: Sequence[blake2b], left: int, right: int) -> tuple[int, int]:
        for keyed in rounds:
            scrambled = keyed.copy()
            scrambled.update(right.to_bytes(8, "big"))
            left, right = right, left ^ int.from_bytes(scrambled.digest(), "big")
        return left, right


class Rhythm:
    """How an account's calls are spread, by local time, over ninety days and a last rush."""

    def __init__(self, utc_offset: int) -> None:
        end = int((AS_OF - _BEGIN).total_seconds())
        weights = [_weight(hour, utc_offset) for hour in range(end // 3600)]
        weights[-1] *= 1 + _RUSH_MINUTES[0] / 60
        scale = (1 - sum(_RUSH_SHARES)) / sum(weights)
        self._shares = [0.0, *accumulate([*(weight * scale for weight in weights), *_RUSH_SHARES])]
        self._shares[-1] = 1.0
        self._seconds = [*range(0, end, 3600), *(end + 60 * minutes for minutes in _RUSH_MINUTES)]

    def moment(self, share: float) -> datetime:
        """Find by when this `share` of the calls, at least 0 and less than 1, has started."""
        place = bisect_right(self._shares, share) - 1
        low, high = self._shares[place : place + 2]
        begin, end = self._seconds[place : place + 2]
        return _BEGIN + timedelta(seconds=int(begin + (share - low) / (high - low) * (end - begin)))


def _weight(hour: int, utc_offset: int) -> float:
    local = _BEGIN + timedelta(hours=hour + utc_offset)
    # New Year's Day is as quiet as a Sunday; there are a few more calls every day.
    weekday = 6 if (local.month, local.day) == (1, 1) else local.weekday()
    return _BY_HOUR[local.hour] * _BY_WEEKDAY[weekday] * (1 + 0.003 * (hour // 24))
