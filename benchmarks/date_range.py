"""The calls of a date range: how fast they are listed, and how much memory that takes.

Usage: python -m benchmarks.date_range [--calls 100000] [--many 1000000]

A request takes 100 ms, and a page 1 s more for each thousand rows. The time to a typed frame is
compared with what Little's law allows for fetching the same calls one by one. Peak memory is that
of `callkit.export` alone; pages take no time there, so that most of them wait to be typed. The
calls written are counted and their order is checked.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.date_range_client import CALLS
from benchmarks.date_range_server import ACCOUNT, GENERATOR
from benchmarks.report import save
from benchmarks.serving import serving

LATENCY, PER_ROW = 0.1, 0.001  # seconds
IN_FLIGHT = 25
_SERVER = "benchmarks.date_range_server"
DAYS = 90
WRITTEN = """
select count(*), count(distinct sid), bool_and(in_order) from (
  select sid, (start_time, sid) > lag((start_time, sid)) over (order by file_row_number)
    is not false as in_order
  from read_parquet(?, file_row_number = true)
)
"""


def environment_of(url: str) -> dict[str, str]:
    return {
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": GENERATOR.auth_token,
        "CALLKIT_BASE_URL": url,
        "IN_FLIGHT": str(IN_FLIGHT),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }


def run(how: str, calls: int, days: int, url: str) -> dict[str, Any]:
    """Measure one run, and check the calls that it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.date_range_client", how, str(days)],
            cwd=folder,
            env={**os.environ, **environment_of(url)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        [written] = duckdb.execute(WRITTEN, [str(Path(folder) / CALLS)]).fetchall()
    assert written == (calls, calls, True), f"rows, distinct SIDs, in order: {written}"
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def time_to_frame(calls: int) -> dict[str, Any]:
    with serving(_SERVER, *map(str, (calls, DAYS, LATENCY, PER_ROW))) as url:
        got = run("frame", calls, DAYS, url)
    one_by_one = calls * LATENCY / IN_FLIGHT
    return {
        "case": "frame",
        "calls": calls,
        "days": DAYS,
        **rounded(got),
        "one_by_one_s": one_by_one,
        "times_one_by_one": round(one_by_one / got["seconds"], 1),
    }


def memory_of_exports(few: int, many: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for calls, days in ((few, DAYS), (many, DAYS), (many, 1)):
        with serving(_SERVER, str(calls), str(days), "0", "0") as url:
            got = run("export", calls, days, url)
        row = {"case": "export", "calls": calls, "days": days, **rounded(got)}
        first = (rows or [row])[0]["peak_mb"]
        rows.append({**row, "peak_of_first": round(row["peak_mb"] / first, 2)})
    return rows


def rounded(got: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 1) for name, value in got.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    options = parser.parse_args()
    save("date_range_time", [time_to_frame(options.calls)])
    save("date_range_memory", memory_of_exports(options.calls, options.many))


if __name__ == "__main__":
    main()
