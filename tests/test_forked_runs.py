"""Processes that are forked in the middle of a run, by the generator that names its calls."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import callkit
from tests.support.forked import can_fork, despite_threads, ends_well_in_a_child
from tests.support.scripted import Reply, call_body, sid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit import Client
    from tests.support.scripted import ScriptedServer

pytestmark = [can_fork, despite_threads]

NUMBERS = range(600)


def script(server: ScriptedServer) -> None:
    for number in NUMBERS:
        body = call_body(sid(number), status="completed", price="-0.01", price_unit="USD")
        server.script[sid(number)] = [Reply(body=body) for _ in range(5)]


def test_a_child_runs_with_the_client_and_the_cache_of_the_run_it_was_forked_in(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    script(server)
    cache = tmp_path / "calls.sqlite"

    def run_in_child() -> None:
        sids = [sid(number) for number in range(0, 600, 3)]
        assert callkit.to_frame(sids, client=scripted_client, cache=cache)["sid"].tolist() == sids

    def forking() -> Iterator[str]:
        for number in NUMBERS:
            if number % 200 == 150:
                assert ends_well_in_a_child(run_in_child)
            yield sid(number)

    df = callkit.to_frame(forking(), client=scripted_client, cache=cache)
    assert df["sid"].tolist() == list(map(sid, NUMBERS))
    assert callkit.cache.info(cache).calls == 600


_EXPORT = """
import os, sys
import callkit
from tests.support.scripted import ACCOUNT, TOKEN, sid

def forking():
    for number in range(600):
        if number in (150, 400) and os.fork() == 0:
            {end}
        yield sid(number)

client = callkit.Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=sys.argv[1])
callkit.export(forking(), "calls.parquet", client=client, cache="calls.sqlite")
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def exported(server: ScriptedServer, folder: Path, end: str) -> list[str]:
    script(server)
    command = [sys.executable, "-W", "ignore", "-c", _EXPORT.replace("{end}", end), server.url]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, check=True, cwd=folder, env=environment, capture_output=True)
    assert {file.name for file in folder.iterdir()} == {"calls.parquet", "calls.sqlite"}
    assert callkit.cache.info(folder / "calls.sqlite").calls == 600
    return callkit.read_parquet(folder / "calls.parquet")["sid"].tolist()


def test_a_child_that_ends_within_an_export_leaves_it_to_its_parent(
    server: ScriptedServer, tmp_path: Path
) -> None:
    assert exported(server, tmp_path, "sys.exit()") == list(map(sid, NUMBERS))


def test_a_child_that_goes_on_within_an_export_does_not_write_it(
    server: ScriptedServer, tmp_path: Path
) -> None:
    assert exported(server, tmp_path, "pass") == list(map(sid, NUMBERS))
