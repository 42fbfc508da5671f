"""Repeatable chance: numbers drawn from a keyed hash, and a keyed permutation of numbers.

Seeding a generator costs more than a call is worth, and the standard library promises the sequence
of ``random.Random`` for few of its methods; a hash gives the same calls on every machine.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from math import exp
from statistics import NormalDist
from struct import Struct
from typing import Generic, TypeVar

T = TypeVar("T")

_WORDS = Struct("<16I")
_RANGE = 1 << 32
_normal_quantile = NormalDist().inv_cdf
_HALF_BITS = 64
_HALF_BYTES = 8
_HALF = (1 << _HALF_BITS) - 1
# Four rounds over a keyed hash are indistinguishable from chance (Luby and Rackoff, 1988).
_ROUNDS = 4


class Mix(Generic[T]):
    """Values and how often each comes; the weights need not add up to anything."""

    __slots__ = ("_edges", "_total", "_values")

    def __init__(self, weights: Mapping[T, float]) -> None:
        self._values = list(weights)
        self._edges = list(accumulate(weights.values()))
        self._total = self._edges.pop()

    def at(self, share: float) -> T:
        """Find the value at `share`, which is at least 0 and less than 1."""
        return self._values[bisect_right(self._edges, share * self._total)]


class Draws:
    """The numbers drawn for one subject, one after the other."""

    __slots__ = ("_block", "_key", "_subject", "_words")

    def __init__(self, key: bytes, subject: bytes) -> None:
        self._key = key
        self._subject = subject
        self._block = 0
        self._words: list[int] = []

    def word(self) -> int:
        """Draw a number of 32 bits."""
        if not self._words:
            salt = self._block.to_bytes(8, "big")
            digest = blake2b(self._subject, key=self._key, salt=salt).digest()
            self._words = list(_WORDS.unpack(digest))
            self._block += 1
        return self._words.pop()

    def share(self) -> float:
        """Draw a number from 0 up to, but without, 1."""
        return self.word() / _RANGE

    def chance(self, probability: float) -> bool:
        """Draw whether something of this `probability` happens."""
        return self.word() < probability * _RANGE

    def between(self, low: int, high: int) -> int:
        """Draw a whole number from `low` to `high`, both included."""
        return low + self.word() * (high - low + 1) // _RANGE

    def one_of(self, values: Sequence[T]) -> T:
        """Draw one of `values`, each as likely as the next."""
        return values[self.word() * len(values) // _RANGE]

    def from_mix(self, mix: Mix[T]) -> T:
        """Draw a value from `mix`."""
        return mix.at(self.share())

    def long_tailed(self, median: float, spread: float) -> float:
        """Draw from a log-normal distribution."""
        return median * exp(spread * _normal_quantile((self.word() + 0.5) / _RANGE))

    def hexadecimal(self, digits: int) -> str:
        """Draw lower-case hexadecimal digits, eight at a time."""
        return "".join(f"{self.word():08x}" for _ in range(digits // 8))


class Permutation:
    """A Feistel network over a keyed hash: each number below 2**128 has one image and one origin.

    Examples
    --------
    >>> permutation = Permutation(b"any key of up to 64 bytes")
    >>> permutation.origin(permutation.image(41))
    41
    """

    def __init__(self, key: bytes) -> None:
        self._rounds = [blake2b(bytes([i]), key=key, digest_size=8) for i in range(_ROUNDS)]

    def image(self, number: int) -> int:
        """Where `number` goes."""
        left, right = number >> _HALF_BITS, number & _HALF
        for index in range(_ROUNDS):
            left, right = right, left ^ self._scramble(index, right)
        return left << _HALF_BITS | right

    def origin(self, image: int) -> int:
        """Which number went to `image`."""
        left, right = image >> _HALF_BITS, image & _HALF
        for index in reversed(range(_ROUNDS)):
            left, right = right ^ self._scramble(index, left), left
        return left << _HALF_BITS | right

    def _scramble(self, index: int, half: int) -> int:
        scrambled = self._rounds[index].copy()
        scrambled.update(half.to_bytes(_HALF_BYTES, "big"))
        return int.from_bytes(scrambled.digest(), "big")
