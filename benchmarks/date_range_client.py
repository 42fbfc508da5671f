"""One measurement of `benchmarks/date_range.py`, in a process of its own; prints one line of JSON.

Usage: python -m benchmarks.date_range_client (frame | export) DAYS, credentials in the environment.

The peak is the most memory that the process ever held, up to the end of the run itself.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from datetime import timedelta
from pathlib import Path

import callkit
from benchmarks.date_range_server import FIRST_DAY

CALLS = "calls.parquet"


def peak_mb() -> int:
    """Return this process's own peak; that of `getrusage` may be its parent's."""
    [held] = re.findall(r"VmHWM:\s*([0-9]+) kB", Path("/proc/self/status").read_text("ascii"))
    return int(held) // 1024


def main() -> None:
    how, days = sys.argv[1], int(sys.argv[2])
    asked = callkit.CallList(started=(FIRST_DAY, FIRST_DAY + timedelta(days=days)))
    with callkit.Client(concurrency=int(os.environ["IN_FLIGHT"])) as client:
        before, cpu = time.perf_counter(), time.process_time()
        if how == "export":
            callkit.export(asked, CALLS, client=client, progress=False)
        else:
            frame = callkit.to_frame(asked, client=client, progress=False)
        seconds, cpu = time.perf_counter() - before, time.process_time() - cpu
    peak = peak_mb()
    if how == "frame":
        callkit.to_parquet(frame, CALLS)
    print(json.dumps({"seconds": seconds, "cpu_s": cpu, "peak_mb": peak}))


if __name__ == "__main__":
    main()
