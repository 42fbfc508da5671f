"""Export with a cache again and again, each time ended by a signal at a random moment.

``python -m tests.files.signalling TIMES`` does so in the current folder, with the lists ``a.txt``
and ``b.txt`` by turns, and prints how often readers found a pair or were refused. A process that
has imported everything forks those that export: they then take a fraction of a second.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

import callkit
from callkit.cli import main as command
from callkit.errors import ParquetError, SidListError
from callkit.sids import read_sids

if TYPE_CHECKING:
    from collections.abc import Callable

CALLS, FAILURES, CACHE, LOG = map(
    Path, ("calls.parquet", "calls.failures.csv", "calls.sqlite", "log.txt")
)
WHOLE = {"a.txt", "b.txt", CALLS.name, FAILURES.name, CACHE.name, LOG.name}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)

Pair = tuple[pd.DataFrame, list[str]]


def exporting(name: str) -> int:
    """Start the command in a process of its own."""
    child = os.fork()
    if child == 0:
        os.dup2(os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
        os._exit(command(["export", f"{name}.txt", "-o", str(CALLS), "--cache", str(CACHE), "-q"]))
    return child


def undisturbed(name: str) -> Pair:
    _, status = os.waitpid(exporting(name), 0)
    assert os.waitstatus_to_exitcode(status) == 1, LOG.read_text()  # two calls fail
    left = {path.name for path in Path().iterdir()}
    assert left == WHOLE, left
    return found()


def found() -> Pair:
    return callkit.read_parquet(CALLS), [key.sid for key in read_sids(FAILURES)]


def state(pairs: dict[str, Pair]) -> str:
    """Say which pair readers find; whoever is refused the one is refused the other."""
    if _is_refused(partial(callkit.read_parquet, CALLS)):
        assert _is_refused(partial(read_sids, FAILURES))
        return "refused"
    calls, failures = found()
    for name, pair in pairs.items():
        if calls.equals(pair[0]) and failures == pair[1]:
            return name
    raise AssertionError("calls and failures of two exports")


def _is_refused(read: Callable[[], object]) -> bool:
    try:
        read()
    except (ParquetError, SidListError) as error:
        return "was interrupted while it replaced" in str(error)
    return False


def main(times: int) -> None:
    dice = random.Random(13)
    begun = time.monotonic()
    pairs = {name: undisturbed(name) for name in "ab"}
    lasting = (time.monotonic() - begun) / 2
    counts: Counter[str] = Counter()
    for turn in range(times):
        name, number = "ab"[turn % 2], dice.choice(SIGNALS)
        if dice.random() < 0.5:
            CACHE.unlink()
        child = exporting(name)
        time.sleep(lasting * dice.choice((dice.uniform(0, 1.2), dice.gauss(1, 0.1))))
        os.kill(child, number)
        os.waitpid(child, 0)
        after = state(pairs)
        counts["refused" if after == "refused" else "new" if after == name else "old"] += 1
        assert number == signal.SIGKILL or after != "refused"
        again = undisturbed(name)
        callkit.cache.info(CACHE)
        assert again[0].equals(pairs[name][0])
        assert again[1] == pairs[name][1]
    json.dump(counts, sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]))
