from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from random import Random

import pandas as pd
import pytest

import callkit
from callkit import CallList
from callkit.cache.store import final_rows
from callkit.errors import ParquetError
from callkit.files.datasets import Listed, Refreshed, not_final_calls
from callkit.sandbox import Sandbox
from tests.files.updating import A, B, call, day, numbers, table_of, update, write


class Traffic:
    """Calls of two accounts, made over 25 days that end in April, and priced some days later."""

    def __init__(self, seed: int) -> None:
        random = Random(seed)
        self.first = day(15)
        minutes = sorted(random.sample(range(25 * 1_440), 300))
        self.starts = [self.first + timedelta(minutes=each) for each in minutes]
        self.accounts = [random.choice([A, B]) for _ in minutes]
        self.priced_after = [timedelta(days=random.randrange(9)) for _ in minutes]

    def call(self, number: int, now: datetime) -> bytes:
        start = self.starts[number]
        price = "-1" if now >= start + self.priced_after[number] else None
        return call(number, start, account=self.accounts[number], price=price)

    def between(self, since: datetime, now: datetime) -> list[bytes]:
        """List calls as they are now, by account and time."""
        found = [number for number, start in enumerate(self.starts) if since <= start < now]
        found.sort(key=lambda number: self.accounts[number])
        return [self.call(number, now) for number in found]


def update_nightly(target: Path, traffic: Traffic, now: datetime) -> None:
    """List the last three days, and fetch again what was not final."""
    listed = Listed(now - timedelta(days=3), now, [A, B])
    keys = not_final_calls(target, listed)
    again = table_of(*(traffic.call(number, now) for number in numbers(key.sid for key in keys)))
    final = dict(zip(again["sid"].to_pylist(), final_rows(again, [now] * len(again)), strict=True))
    update(
        target,
        *traffic.between(listed.start, now),
        listed=listed,
        months={f"{listed.start:%Y-%m}", f"{now - timedelta(days=1):%Y-%m}"},
        again=Refreshed(again, {each for each, is_final in final.items() if not is_final}),
        now=now,
    )


@pytest.mark.parametrize("seed", range(3))
def test_thirty_nightly_updates_make_what_one_export_at_the_end_makes(
    target: Path, seed: int
) -> None:
    traffic = Traffic(seed)
    nights = [traffic.first + timedelta(days=number) for number in range(31)]
    write(target, now=nights[0])
    for now in nights[1:]:
        update_nightly(target, traffic, now)
    once = write(target.with_name("once"), *traffic.between(nights[0], now), now=now)
    pd.testing.assert_frame_equal(callkit.read_parquet(target), callkit.read_parquet(once))


def test_an_update_with_a_filter_is_refused_since_it_would_remove_other_calls(
    tmp_path: Path,
) -> None:
    client, target = Sandbox(calls=1_000).client(), tmp_path / "calls"
    out = callkit.export(CallList(started="-3d"), target, by_month=True, client=client)
    with pytest.raises(ParquetError, match="filtered"):
        callkit.export(CallList(started="-3d", status="busy"), target, client=client)
    assert len(callkit.read_parquet(target)) == out.calls


KILLED_AT_EACH_STEP = """
import itertools, json, os, shutil, signal, sys
from pathlib import Path
from callkit.errors import ParquetError
from callkit.files.datasets import Listed
from tests.files.updating import A, call, day, held, update, write

STEPS = {"open", "os.mkdir", "os.rename", "os.chmod", "os.remove", "os.rmdir"}
MONTHS = ["2025-03", "2025-04", "2025-05"]
LISTED = Listed(day(10), day(20, month=5), [A])

def killed_at(step):
    steps = itertools.count()
    def kill(event, arguments):
        if event in STEPS and "calls" in str(arguments[0]) and next(steps) == step:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(kill)

def update_all():
    new = [call(3, day(11)), call(4, day(11, month=4)), call(6, day(11, month=5))]
    update(target, *new, listed=LISTED, months=MONTHS)

def state():
    try:
        return held(target)
    except ParquetError as error:
        return str(error).partition(" was interrupted while it replaced ")[1]

target = Path.cwd() / "calls"
states = []
for step in itertools.count():
    write(target, call(1, day(11)), call(2, day(11, month=4)), call(5, None))
    child = os.fork()
    if child == 0:
        killed_at(step)
        update_all()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    states.append(state())
    update_all()
    assert held(target) == [3, 4, 6, 5]
    if status == 0:
        break
    for path in Path().iterdir():
        shutil.rmtree(path)
json.dump(states, sys.stdout)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_all_months_old_or_new_or_what_the_next_run_completes(
    tmp_path: Path,
) -> None:
    output = subprocess.run(
        [sys.executable, "-c", KILLED_AT_EACH_STEP],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(callkit.__file__).parents[1])},
        check=True,
        stdout=subprocess.PIPE,
        timeout=120,
    ).stdout
    states = [state for state, _ in groupby(json.loads(output))]
    assert states == [[1, 2, 5], " was interrupted while it replaced ", [3, 4, 6, 5]]
