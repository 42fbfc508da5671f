"""Samples damaged in the ways that files and answers are: bits, spans, words, and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["damaged"]

_MOST_AT_ONCE = 4
_LONGEST_SPAN = 64


def damaged(rng: random.Random, sample: bytes, words: Sequence[bytes] = ()) -> bytes:
    """Damage `sample` in one to four ways; one sample in twenty stays as it is.

    Parameters
    ----------
    rng : Random
        What decides.
    sample : bytes
        What is whole.
    words : sequence of bytes
        What is put in besides single bytes: tokens of the format, and numbers at its limits.
    """
    if rng.random() < 0.05:
        return sample
    data = bytearray(sample)
    for _ in range(1 + int(rng.random() * _MOST_AT_ONCE)):
        at = int(rng.random() * (len(data) + 1))
        span = 1 + int(rng.random() ** 3 * _LONGEST_SPAN)
        match int(rng.random() * 8):
            case 0 if at < len(data):
                data[at] ^= 1 << int(rng.random() * 8)
            case 1 if at < len(data):
                data[at] = int(rng.random() * 256)
            case 2:
                del data[at : at + span]
            case 3:
                data[at:at] = data[at : at + span]
            case 4:
                data[at:at] = rng.randbytes(span)
            case 5 if rng.random() < 0.3:
                del data[at:]
            case 6 | 7 if words:
                word = words[int(rng.random() * len(words))]
                data[at : at + (0 if rng.random() < 0.5 else len(word))] = word
            case _:
                there = int(rng.random() * (len(data) + 1))
                data[at : at + span] = data[there : there + span]
    return bytes(data)
