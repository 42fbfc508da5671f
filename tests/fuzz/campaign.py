"""Inputs by the thousand, each few in the hands of a process that may crash or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

__all__ = ["Report", "run"]

_ROOT = Path(__file__).parent.parent.parent
_LONGEST = 120  # seconds for a few inputs, also on a busy machine; beyond, it hangs


@dataclass
class Report:
    """What came of the inputs of a kind."""

    name: str
    inputs: int
    outcomes: Counter[str] = field(default_factory=Counter)
    finds: dict[int, str] = field(default_factory=dict)
    seconds: float = 0.0
    peak: int = 0
    """The most memory that a process took, in MiB."""


def run(name: str, seed: int, inputs: int, *, longest: int = _LONGEST) -> Report:
    """Try inputs of a kind; what is undocumented, crashes or hangs is a find, and the rest go on.

    `longest` is how many seconds a few inputs may take together.
    """
    report = Report(name, inputs)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="callkit-", dir=_in_memory()) as folder:
        _cover(report, range(inputs), _Way(seed, longest, folder))
    report.seconds = time.monotonic() - began
    return report


def _in_memory() -> str | None:
    """Find a place for files that are written by the thousand, if there is one."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class _Way:
    """How processes try inputs: made from which seed, for how long, where, and whether alone."""

    seed: int
    longest: int
    folder: str
    alone: bool = False


def _cover(report: Report, numbers: range, way: _Way) -> None:
    """Try every input, those that end a process together with others once more one by one."""
    while numbers:
        tried, end = _work(report, numbers, way)
        if end and len(tried) > 1:
            _cover(report, tried, replace(way, alone=True))
        elif end:
            report.finds[tried.start] = end
        numbers = range(tried.stop, numbers.stop)


def _work(report: Report, numbers: range, way: _Way) -> tuple[range, str]:
    """Have a process try inputs; say which it came to, and how it ended, if not as it should."""
    tried = range(numbers.start, numbers.start + 1)
    words = [report.name, *map(str, (numbers.start, numbers.stop, way.seed, way.longest))]
    words += ["alone"] if way.alone else []
    with (
        tempfile.TemporaryFile("w+") as complaint,
        subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", *words],
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": way.folder},
            stdout=subprocess.PIPE,
            stderr=complaint,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            if "numbers" in said:
                tried = range(*said["numbers"])
            _take(report, said)
        if process.wait() == 0:
            return numbers, ""
        complaint.seek(0)
        return tried, f"exit {process.returncode}: {complaint.read()[-2_000:]}"


def _take(report: Report, said: dict[str, Any]) -> None:
    report.outcomes.update(said.get("outcomes", {}))
    report.finds.update({int(number): what for number, what in said.get("finds", {}).items()})
    report.peak = max(report.peak, said.get("peak", 0))
