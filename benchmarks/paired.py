"""Two checkouts side by side: fetching, its processor time, and normalising.

Usage: python -m benchmarks.paired OLD_TREE [NEW_TREE] [--rounds 9] [--calls 10000] [--quick]

Each round measures both trees, in alternating order, each in its own process and against the same
server, that of the new tree. The result is the median of the rounds' ratios, with their quartiles:
whatever else loads the machine slows both of a pair alike.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.normalise import lifelike_bodies
from benchmarks.report import save

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
LATENCIES = (0.05, 0.1)
SERVER = """
import json, sys
from callkit.sandbox import Sandbox
calls, latency = int(sys.argv[1]), float(sys.argv[2])
with Sandbox(calls=2 * calls, latency=latency) as sandbox:
    told = [sandbox.url, sandbox.account_sid, sandbox.auth_token, sandbox.sids(calls)]
    print(json.dumps(told), flush=True)
    sys.stdin.read()
"""

Pairs = list[tuple[dict[str, float], dict[str, float]]]


@contextmanager
def serving(tree: Path, calls: int, latency: float) -> Iterator[tuple[dict[str, str], str]]:
    """Run the sandbox of `tree`, and give the environment of its clients and its SIDs, as lines."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", SERVER, str(calls), str(latency)],
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        url, account_sid, auth_token, sids = json.loads(server.stdout.readline())
        environment = {
            "CALLKIT_BASE_URL": url,
            "TWILIO_ACCOUNT_SID": account_sid,
            "TWILIO_AUTH_TOKEN": auth_token,
        }
        yield environment, "\n".join(sids)
        server.stdin.close()


def run(tree: Path, kind: str, entries: str, environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-P", HERE / "paired_contender.py", kind],
        input=entries,
        env={**os.environ, **environment, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result = json.loads(done.stdout)
    assert Path(result.pop("callkit")).is_relative_to(tree)
    return dict(result)


def alternated(
    trees: tuple[Path, Path], rounds: int, kind: str, entries: str, environment: dict[str, str]
) -> Pairs:
    old, new = trees
    pairs = []
    for number in range(rounds):
        order = (old, new) if number % 2 == 0 else (new, old)
        results = [run(tree, kind, entries, environment) for tree in order]
        pairs.append((results[0], results[1]) if number % 2 == 0 else (results[1], results[0]))
    return pairs


def row(measure: str, figure: str, pairs: Pairs) -> dict[str, Any]:
    ratios = [new[figure] / old[figure] for old, new in pairs]
    lower, middle, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return {
        "measure": measure,
        "old": round(statistics.median(old[figure] for old, _ in pairs)),
        "new": round(statistics.median(new[figure] for _, new in pairs)),
        "new_to_old": round(middle, 3),
        "first_quartile": round(lower, 3),
        "third_quartile": round(upper, 3),
        "rounds": len(pairs),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path, metavar="OLD_TREE")
    parser.add_argument("new", type=Path, metavar="NEW_TREE", nargs="?", default=HERE.parent)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--quick", action="store_true", help="two rounds of 500 calls")
    options = parser.parse_args()
    trees = (options.old.resolve(), options.new.resolve())
    calls, rounds = (500, 2) if options.quick else (options.calls, options.rounds)
    rows = []
    for latency in LATENCIES:
        with serving(trees[1], calls, latency) as (environment, sids):
            pairs = alternated(trees, rounds, "fetch", sids, environment)
        name = f"fetch, {latency * 1000:.0f} ms"
        rows.append(row(f"{name}: calls per second", "per_second", pairs))
        rows.append(row(f"{name}: processor µs per call", "cpu_us", pairs))
    bodies = "\n".join(body.decode() for body in lifelike_bodies(2 * calls))
    pairs = alternated(trees, rounds, "normalise", bodies, {})
    rows.append(row("normalise: calls per second", "per_second", pairs))
    save("paired", rows)


if __name__ == "__main__":
    main()
