"""What ``import callkit`` costs, beside the imports that it rests on; each in a fresh interpreter.

Usage: python -m benchmarks.importing [--runs 20]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

from benchmarks.report import save

ALONE = "import pandas"
IMPORTS = {
    ALONE: ALONE,
    "what callkit must have: pandas, pyarrow.parquet, requests, msgspec": (
        "import pandas, pyarrow.parquet, requests, msgspec"
    ),
    "import callkit": "import callkit",
    "import callkit, and its charts": "import callkit; callkit.charts.cost",
}


def seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    took: dict[str, list[float]] = {case: [] for case in IMPORTS}
    for _ in range(runs):  # by turns, so that a busy machine slows all alike
        for case, code in IMPORTS.items():
            took[case].append(seconds(code))
    nothing = min(seconds("") for _ in range(runs))
    least = {case: min(times) - nothing for case, times in took.items()}
    save(
        "importing",
        [
            {
                "case": case,
                "best_ms": round(least[case] * 1000),
                "median_ms": round((statistics.median(took[case]) - nothing) * 1000),
                "times_pandas": round(least[case] / least[ALONE], 2),
            }
            for case in IMPORTS
        ],
    )


if __name__ == "__main__":
    main()
