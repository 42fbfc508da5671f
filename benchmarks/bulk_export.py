"""A day's Bulk Export file of a million records: the rate of its export, and its peak memory.

Usage: python -m benchmarks.bulk_export [--records 100000] [--many 1000000]

Each export runs in a process of its own, and its peak is the most memory that this ever held. The
rate is compared with that of `callkit.normalise` on the first of the same bodies, decompressed and
in memory; they take turns, and the best of each counts. The calls written are counted.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import UTC
from email.utils import parsedate_to_datetime
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

import callkit
from benchmarks.date_range_client import peak_mb
from benchmarks.normalise import lifelike_bodies
from benchmarks.report import save

if TYPE_CHECKING:
    from collections.abc import Iterator

_DATES = ("date_created", "date_updated", "start_time", "end_time")
_DIFFERENT = 20_000  # records; the others differ from these by their SID
_NORMALISED = 100_000  # bodies; all would not fit in the memory of a small machine


def records(number: int) -> Iterator[bytes]:
    """Make records as Bulk Export writes them: without URIs, their times in ISO 8601."""
    chance = random.Random(number)
    samples = [sample(body) for body in lifelike_bodies(min(number, _DIFFERENT))]
    for each in islice(cycle(samples), number):
        yield each % (b"CA%032x" % chance.getrandbits(128))


def sample(body: bytes) -> bytes:
    """Make a record of a body, with a place for its SID."""
    call = json.loads(body) | {"sid": "%s"}
    del call["uri"], call["subresource_uris"]
    for name in _DATES:
        moment = parsedate_to_datetime(call[name]).astimezone(UTC)
        call[name] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps(call).encode()


def write(number: int, path: Path) -> None:
    with gzip.open(path, "wb", compresslevel=6) as file:
        for record in records(number):
            file.write(record + b"\n")


def export(path: str) -> None:
    """Export in this process, and print one line of JSON."""
    out = Path(path).with_suffix(".parquet")
    before, cpu = perf_counter(), process_time()
    callkit.export(callkit.BulkExport(path), out, progress=False)
    print(
        json.dumps(
            {
                "seconds": perf_counter() - before,
                "cpu_s": process_time() - cpu,
                "peak_mb": peak_mb(),
                "rows": pq.read_metadata(out).num_rows,
            }
        )
    )


def normalise(path: str) -> None:
    """Normalise the first records of a file in this process, and print one line of JSON."""
    bodies = []
    with gzip.open(path, "rb") as file:
        for body in file:
            bodies.append(body)
            if len(bodies) == _NORMALISED:
                break
    before, cpu = perf_counter(), process_time()
    rows = len(callkit.normalise(bodies))
    seconds, cpu = perf_counter() - before, process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu_s": cpu, "peak_mb": peak_mb(), "rows": rows}))


def measured(how: str, path: Path, expected: int) -> dict[str, Any]:
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.bulk_export", how, str(path)],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    got: dict[str, Any] = json.loads(done.stdout)
    assert got["rows"] == expected, f"{got['rows']:,} rows instead of {expected:,}"
    return got


def best(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return min(rounds, key=lambda got: float(got["seconds"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("how", nargs="?", choices=("export", "normalise"))
    parser.add_argument("path", nargs="?")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.how:
        {"export": export, "normalise": normalise}[options.how](options.path)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = {n: Path(folder, f"{n}.json.gz") for n in (options.records, options.many)}
        for number, path in files.items():
            write(number, path)
        few, many = files
        cases = {
            ("export", few): few,
            ("export", many): many,
            ("normalise", many): min(many, _NORMALISED),
        }
        rounds = [
            {case: measured(case[0], files[case[1]], rows) for case, rows in cases.items()}
            for _ in range(options.rounds)
        ]
    table = []
    normalised = best([each["normalise", many] for each in rounds])
    for case in cases:
        got = best([each[case] for each in rounds])
        rate, beside = (each["rows"] / each["seconds"] for each in (got, normalised))
        table.append(
            {
                "case": case[0],
                "records": got["rows"],
                "seconds": round(got["seconds"], 1),
                "cpu_s": round(got["cpu_s"], 1),
                "us_per_record": round(1e6 / rate, 1),
                "of_normalise": round(rate / beside, 2),
                "peak_mb": got["peak_mb"],
            }
        )
    save("bulk_export", table)


if __name__ == "__main__":
    main()
