"""How fast are bodies typed? callkit beside the official client, and a bare parse as the floor.

Run it as ``python -m benchmarks.normalise`` (``--calls 20000 --rounds 5``). Each round runs every
way in turn over the same bodies, so that a busy machine slows them alike; the best round counts.
``--against TREE`` compares with another version of callkit instead, a checkout of it, in processes
that take turns: the figure is the median of the rounds' ratios of processor time.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import pickle
import random
import statistics
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow.json
from twilio.rest import Client
from twilio.rest.api.v2010.account.call import CallInstance

from callkit.normaliser import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

_ACCOUNT = "AC" + "0123456789abcdef" * 2
_SUBRESOURCES = (
    "events",
    "feedback",
    "notifications",
    "payments",
    "recordings",
    "siprec",
    "streams",
    "transcriptions",
    "user_defined_message_subscriptions",
    "user_defined_messages",
)
_DATES = ("date_created", "date_updated", "start_time", "end_time")
_NUMBERS = ("duration", "queue_time", "price")


def lifelike_bodies(calls: int, seed: int = 7) -> list[bytes]:
    """Make bodies of about 2 kB as the live API writes them: a space after each colon and comma."""
    chance = random.Random(seed)
    return [json.dumps(_call(chance)).encode() for _ in range(calls)]


def _call(chance: random.Random) -> dict[str, Any]:
    sid = f"CA{chance.getrandbits(128):032x}"
    begin = datetime(2023, 11, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(90 * 86_400))
    answered = chance.random() < 0.8
    seconds = int(chance.expovariate(1 / 150)) + 1 if answered else 0
    caller, callee = (f"+1415555{chance.randrange(10_000):04}" for _ in range(2))
    uri = f"/2010-04-01/Accounts/{_ACCOUNT}/Calls/{sid}"
    inbound = chance.random() < 0.5
    child = not inbound and chance.random() < 0.5
    return {
        "date_updated": _date(begin + timedelta(seconds=seconds)),
        "price_unit": "USD",
        "parent_call_sid": f"CA{chance.getrandbits(128):032x}" if child else None,
        "caller_name": "" if inbound else None,
        "duration": str(seconds),
        "from": caller,
        "to": callee,
        "annotation": None,
        "answered_by": chance.choice((None, None, None, "human", "machine_start")),
        "sid": sid,
        "queue_time": str(chance.choice((0, 0, 0, 1000, 6000))),
        "price": f"-{-(-seconds // 60) * 0.017:.5f}" if answered else None,
        "api_version": "2010-04-01",
        "status": "completed" if answered else chance.choice(("busy", "no-answer", "failed")),
        "direction": "inbound" if inbound else "outbound-dial" if child else "outbound-api",
        "start_time": _date(begin),
        "date_created": _date(begin - timedelta(seconds=1)),
        "from_formatted": f"(415) 555-{caller[-4:]}",
        "group_sid": None,
        "trunk_sid": "",
        "forwarded_from": callee if inbound else "",
        "uri": f"{uri}.json",
        "account_sid": _ACCOUNT,
        "end_time": _date(begin + timedelta(seconds=seconds)),
        "to_formatted": f"(415) 555-{callee[-4:]}",
        "phone_number_sid": f"PN{chance.getrandbits(128):032x}",
        "subresource_uris": {name: f"{uri}/{name.title()}.json" for name in _SUBRESOURCES},
    }


def _date(instant: datetime) -> str:
    return f"{instant:%a, %d %b %Y %H:%M:%S} +0000"


_WORKER = """
import gc, pickle, sys
from time import process_time
from callkit.normaliser import normalise
bodies = pickle.load(sys.stdin.buffer)
for _ in sys.stdin.buffer:
    gc.collect()
    begin = process_time()
    assert len(normalise(bodies)) == len(bodies)
    print(process_time() - begin, flush=True)
"""


class Tree:
    """A version of callkit, in a process of its own."""

    def __init__(self, path: Path, bodies: list[bytes]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _WORKER],
            cwd=path,
            env={**os.environ, "PYTHONPATH": str(path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        pickle.dump(bodies, self._process.stdin)

    def seconds(self) -> float:
        """Type the bodies once, and return the processor time that it took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate()


def against(path: Path, bodies: list[bytes], rounds: int) -> None:
    """Print how long this tree takes, as a share of what the one at `path` takes."""
    ours, theirs = (Tree(tree, bodies) for tree in (Path(__file__).parents[1], path))
    for tree in (theirs, ours):
        tree.seconds()
    pairs = [(ours.seconds(), theirs.seconds()) for _ in range(rounds)]
    for tree in (theirs, ours):
        tree.close()
    ratios = [mine / other for mine, other in pairs]
    low, median, high = statistics.quantiles(ratios, n=4)
    for name, seconds in zip(("this tree", str(path)), zip(*pairs, strict=True), strict=True):
        print(f"{name:32}{statistics.median(seconds) / len(bodies) * 1e6:>12.1f} µs per call")
    print(f"median of {rounds} ratios {median:.3f}, interquartile range {low:.3f} to {high:.3f}")


def by_callkit(bodies: list[bytes]) -> int:
    return len(normalise(bodies))


def by_official_client(bodies: list[bytes]) -> int:
    version = Client("AC" + "0" * 32, "token").api.v2010
    attributes: list[dict[str, Any]] = []
    for body in bodies:
        call = vars(CallInstance(version, json.loads(body), _ACCOUNT))
        attributes.append({name: call[name] for name in call if not name.startswith("_")})
    frame = pd.DataFrame(attributes)
    for name in _NUMBERS:
        frame[name] = pd.to_numeric(frame[name])
    for name in _DATES:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return len(frame)


def by_bare_parse(bodies: list[bytes]) -> int:
    return int(pyarrow.json.read_json(io.BytesIO(b"\n".join(bodies))).num_rows)


WAYS: dict[str, Callable[[list[bytes]], int]] = {
    "callkit.normalise": by_callkit,
    "official client + DataFrame": by_official_client,
    "bare pyarrow.json (the floor)": by_bare_parse,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--against", type=Path, metavar="TREE")
    options = parser.parse_args()
    bodies = lifelike_bodies(options.calls)
    if options.against:
        against(options.against, bodies, options.rounds)
        return
    best = dict.fromkeys(WAYS, float("inf"))
    for _ in range(options.rounds):
        for name, way in WAYS.items():
            gc.collect()
            begin = perf_counter()
            assert way(bodies) == len(bodies)
            best[name] = min(best[name], perf_counter() - begin)
    size = sum(map(len, bodies)) / len(bodies)
    print(f"{len(bodies):,} bodies of {size:,.0f} bytes, best of {options.rounds} rounds")
    official = best["official client + DataFrame"]
    print(f"{'':32}{'µs per call':>12}{'of the official':>18}")
    for name, seconds in best.items():
        print(f"{name:32}{seconds / len(bodies) * 1e6:>12.1f}{seconds / official:>18.2f}")


if __name__ == "__main__":
    main()
