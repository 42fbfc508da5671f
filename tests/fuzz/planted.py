"""A kind that goes wrong where it is known to: what the campaign itself is tried with."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from tests.fuzz.kinds import RESULT

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["Planted"]


class Planted:
    """Of ten numbers one is no result, one undocumented, one ends the process and one hangs."""

    at_once = 5

    def make(self, rng: random.Random) -> int:
        return int(rng.random() * 10)

    def outcomes(self, inputs: Sequence[object]) -> list[str]:
        for given in inputs:
            if given == 3:
                raise KeyError("planted")
            if given == 7:
                os.abort()
            if given == 9:
                time.sleep(600)
        return ["NoResult" if given == 1 else RESULT for given in inputs]
