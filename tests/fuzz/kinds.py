"""The kinds of input: how one is made, and what must come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["RESULT", "Kind", "check_sentence"]

RESULT = "result"
_LONGEST_SENTENCE = 2_000


class Kind(Protocol):
    """A kind of input."""

    at_once: int
    """How many inputs are tried together."""

    def make(self, rng: random.Random) -> object:
        """Make one input."""

    def outcomes(self, inputs: Sequence[object]) -> list[str]:
        """Try inputs, and name what came of each: `RESULT`, or the documented error.

        Anything that is not documented is raised.
        """


def check_sentence(error: object) -> str:
    """See that an error is told in one sentence, and give the name of its class."""
    text = str(error)
    if not text or "\n" in text or len(text) > _LONGEST_SENTENCE:
        raise AssertionError(f"not one sentence: {text!r}") from (
            error if isinstance(error, BaseException) else None
        )
    return type(error).__name__
