"""A keyed permutation of the 128-bit numbers, so that a SID can be turned back into its index."""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["Permutation"]

_HALF_BITS = 64
_HALF_BYTES = 8
_HALF = (1 << _HALF_BITS) - 1
# Four rounds over a keyed hash are indistinguishable from chance (Luby and Rackoff, 1988).
_ROUNDS = 4


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
