"""One process that tries inputs of one kind, and says as it goes which it has come to.

It may crash, hang or be out of memory: :mod:`tests.fuzz.campaign` watches it.
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import sys
import traceback
import warnings
from collections import Counter
from typing import TYPE_CHECKING

from tests.fuzz.bodies import Bodies
from tests.fuzz.bulk_lines import BulkLines
from tests.fuzz.cache_files import CacheFiles
from tests.fuzz.command_lines import CommandLines
from tests.fuzz.dates import Dates
from tests.fuzz.list_pages import ListPages
from tests.fuzz.parquet_files import ParquetFiles
from tests.fuzz.planted import Planted
from tests.fuzz.sid_lists import SidLists

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.kinds import Kind

__all__ = ["KINDS", "input_of", "work"]

KINDS: dict[str, Callable[[], Kind]] = {
    "bodies": Bodies,
    "list pages": ListPages,
    "Bulk Export files": BulkLines,
    "dates": Dates,
    "SID lists": SidLists,
    "Parquet files": ParquetFiles,
    "cache files": CacheFiles,
    "command lines": CommandLines,
    "planted": Planted,
}
_MEMORY = 6 << 30  # address space, in bytes; what asks for more is out of bounds


def input_of(kind: Kind, name: str, seed: int, number: int) -> object:
    """Make an input from its kind, a seed and its number alone."""
    return kind.make(random.Random(f"{name}:{seed}:{number}"))


def work(name: str, numbers: range, seed: int, longest: int, *, alone: bool) -> None:
    """Try the inputs of these numbers, and write a line of JSON before and after each few."""
    kind = KINDS[name]()
    at_once = 1 if alone else kind.at_once
    for few in (numbers[start : start + at_once] for start in range(0, len(numbers), at_once)):
        say(numbers=[few.start, few.stop])
        faulthandler.dump_traceback_later(longest, exit=True)
        inputs = [input_of(kind, name, seed, number) for number in few]
        try:
            outcomes = Counter(kind.outcomes(inputs))
        except Exception:  # noqa: BLE001  (whatever is raised is a find)
            say(**_finds(kind, dict(zip(few, inputs, strict=True))))
        else:
            say(outcomes=outcomes)
    say(peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


def _finds(kind: Kind, inputs: dict[int, object]) -> dict[str, object]:
    """Try one by one what was not documented, together with others."""
    outcomes: Counter[str] = Counter()
    finds = {}
    for number, given in inputs.items():
        try:
            outcomes.update(kind.outcomes([given]))
        except Exception as error:  # noqa: BLE001
            frame = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{frame.filename}:{frame.lineno}"
            finds[number] = f"{type(error).__name__}: {error} ({where})"[:2_000]
    return {"outcomes": outcomes, "finds": finds}


def say(**what: object) -> None:
    sys.__stdout__.write(json.dumps(what) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


if __name__ == "__main__":
    faulthandler.enable()
    warnings.simplefilter("error")
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    begin, end, decided_by, seconds = map(int, sys.argv[2:6])
    work(sys.argv[1], range(begin, end), decided_by, seconds, alone="alone" in sys.argv)
