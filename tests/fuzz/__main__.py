"""``python -m tests.fuzz``: the whole campaign and its table, or one input once more."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from tests.fuzz.campaign import Report, run
from tests.fuzz.worker import KINDS, input_of

_SHARES = {  # the quick ones first: of those that take long, fewer
    "dates": 0.12,
    "SID lists": 0.13,
    "bodies": 0.58,
    "Parquet files": 0.02,
    "list pages": 0.10,
    "cache files": 0.02,
    "Bulk Export files": 0.02,
    "command lines": 0.01,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("one", nargs="?", metavar="KIND:NUMBER", help="try one input again")
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.one is not None:
        name, _, number = options.one.partition(":")
        kind = KINDS[name]()
        given = input_of(kind, name, options.seed, int(number))
        write(repr(given))
        write(str(kind.outcomes([given])))
        return 0
    counts = {name: round(share * options.inputs) for name, share in _SHARES.items()}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        write(
            f"{'kind':<18}{'inputs':>10}{'results':>10}{'finds':>7}{'seconds':>9}{'MiB':>7}  errors"
        )
        running = [pool.submit(run, name, options.seed, count) for name, count in counts.items()]
        for done in as_completed(running):
            tell(done.result())
    reports = [done.result() for done in running]
    write(f"{'all':<18}{sum(each.inputs for each in reports):>10,}")
    for report in reports:
        for number, find in sorted(report.finds.items()):
            write(f"{report.name}:{number}: {find}")
    return 1 if any(report.finds for report in reports) else 0


def tell(report: Report) -> None:
    """Print what came of a kind."""
    results = report.outcomes.pop("result", 0)
    errors = ", ".join(f"{count:,} {name}" for name, count in report.outcomes.most_common())
    write(
        f"{report.name:<18}{report.inputs:>10,}{results:>10,}{len(report.finds):>7,}"
        f"{report.seconds:>9,.0f}{report.peak:>7,}  {errors}"
    )


def write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
