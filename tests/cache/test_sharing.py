"""A cache that other processes, or other parts of this one, use at the same time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cache.store import Cache
from callkit.errors import CacheError
from tests.cache.test_store import call, fill, final, looked_up, store
from tests.support.forked import can_fork, despite_threads, ends_well_in_a_child
from tests.support.scripted import sid
from tests.support.special_files import each_special_file, traces_of_use

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.synchronize import Barrier
    from pathlib import Path

    from tests.support.scripted import ScriptedServer
    from tests.support.special_files import Make

_HOLD = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
_CLAIM_WHOLE_FILE = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None)
try:
    db.execute("PRAGMA journal_mode = DELETE")
except sqlite3.OperationalError as error:
    print(error)
"""
_FORK_WHILE_WRITING = """
import os, sys
from callkit.cache.store import Cache
from tests.cache.test_sharing import insert_more_than_memory_keeps
from tests.cache.test_store import call, store

with Cache(sys.argv[1]) as cache:
    store(cache, call(1))
    with cache._db.transaction():
        insert_more_than_memory_keeps(cache)
        child = os.fork()
        if child == 0:
            sys.exit()
        os.waitpid(child, 0)
"""
_COLLECT = """
import signal, sys
import callkit
from callkit.errors import FetchInterrupted
from tests.support.scripted import ACCOUNT, TOKEN, sid

signal.signal(signal.SIGTERM, lambda *args: signal.getsignal(signal.SIGINT)(*args))
print("begins", flush=True)
client = callkit.Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=sys.argv[2])
try:
    callkit.collect([sid(number) for number in range(50)], client=client, cache=sys.argv[1])
except FetchInterrupted as stop:
    print(f"{len(stop.frame)} calls: {stop}")
"""
each_use = pytest.mark.parametrize(
    "use",
    [
        Cache,
        callkit.cache.info,
        lambda path: callkit.cache.prune(path, timedelta(0)),
        lambda path: callkit.cache.erase(path, ["client:amy"]),
    ],
    ids=["run", "info", "prune", "erase"],
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


@contextmanager
def locked_by_another_process(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have the lock for writing held until the standard input of the process is closed."""
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other


def output_of_another_process(code: str, path: Path) -> str:
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@each_special_file
@each_use
def test_what_is_no_regular_file_is_refused_and_not_touched(
    path: Path, make: Make, kind: str, use: Callable[[Path], object]
) -> None:
    make(path)
    before = traces_of_use(path)
    with pytest.raises(CacheError, match=f"Cannot open the cache .*: .* but it is {kind}"):
        use(path)
    assert traces_of_use(path) == before


@each_special_file
@pytest.mark.parametrize("end", ["-wal", "-shm", "-journal"])
def test_what_is_no_regular_file_beside_a_cache_is_refused_and_not_touched(
    path: Path, make: Make, kind: str, end: str
) -> None:
    fill(path, call(1))
    beside = path.with_name(path.name + end)
    make(beside)
    before = traces_of_use(path)
    with pytest.raises(CacheError, match=f"Cannot use .*{end}', .* but it is {kind}"):
        Cache(path)
    assert traces_of_use(path) == before


@pytest.mark.parametrize("name", [":memory:", "file:calls?mode=memory", "a%20b#c?d.sqlite"])
def test_a_name_that_sqlite_takes_for_something_else_is_that_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with Cache(name) as cache:
        store(cache, call(1))
    assert callkit.cache.info(name).calls == 1
    assert os.listdir() == [name]  # noqa: PTH208  (a relative name is what is tested)


@each_use
def test_a_second_use_in_this_process_keeps_the_lock_of_the_first(
    path: Path, use: Callable[[Path], object]
) -> None:
    fill(path, call(1))
    with Cache(path) as cache:
        looked_up(cache, [])
        use(path)
        assert output_of_another_process(_CLAIM_WHOLE_FILE, path) == "database is locked\n"


def _open_new_ones(folder: Path, together: Barrier) -> None:
    for number in range(60):
        together.wait()
        with Cache(folder / f"{number}.sqlite") as cache:
            store(cache, call(os.getpid()))


@pytest.mark.skipif(
    not hasattr(os, "fork"),
    reason="needs processes that start at the same moment, which only fork gives",
)
def test_several_processes_may_create_a_cache_at_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    together = fork.Barrier(4)
    processes = [fork.Process(target=_open_new_ones, args=(tmp_path, together)) for _ in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert {callkit.cache.info(file).calls for file in tmp_path.glob("*.sqlite")} == {4}


@pytest.mark.parametrize(
    "use",
    [
        "callkit.cache.prune(path, timedelta(0))",
        "callkit.cache.erase(path, ['client:amy'])",
        "Cache(path).store([fetched], table)",
    ],
)
def test_ctrl_c_ends_the_wait_for_another_process(path: Path, use: str) -> None:
    fill(path, call(1))
    code = f"""
import sys
import callkit
from datetime import timedelta
from callkit.cache.store import Cache
from callkit.normaliser import to_table
from tests.cache.test_store import call

path = sys.argv[1]
fetched = call(2)
table, _ = to_table([fetched.body])
print("waits", flush=True)
{use}
"""
    with locked_by_another_process(path):
        command = [sys.executable, "-c", code, str(path)]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as waiting:
            assert waiting.stdout is not None
            waiting.stdout.readline()
            waiting.send_signal(signal.SIGINT)
            _, complaint = waiting.communicate(timeout=20)
    assert complaint.endswith("KeyboardInterrupt\n")


def test_a_noted_interrupt_ends_the_wait_and_what_is_not_stored_is_said(path: Path) -> None:
    fill(path, call(1))
    with locked_by_another_process(path), Cache(path, lambda: True) as cache:
        with pytest.warns(callkit.errors.CacheWarning, match="in use by another process"):
            store(cache, call(2))
        assert not cache.writable


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_that_waits_for_the_cache_says_that_nothing_is_in_it(
    path: Path, server: ScriptedServer, number: signal.Signals
) -> None:
    fill(path)
    command = [sys.executable, "-c", _COLLECT, str(path), server.url]
    with (
        locked_by_another_process(path),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run,
    ):
        assert run.stdout is not None
        run.stdout.readline()
        while sum(server.asked.values()) < 50:
            assert run.poll() is None
            threading.Event().wait(0.005)
        run.send_signal(number)
        said, _ = run.communicate(timeout=30)
    assert said.startswith("50 calls: interrupted after 50 of 50 calls")
    assert "none of them" in said


def test_a_call_that_waits_for_another_process_is_stored(path: Path) -> None:
    fill(path, call(1))
    with locked_by_another_process(path) as other:

        def let_go() -> bool:
            assert other.stdin is not None
            other.stdin.close()
            return False

        with Cache(path, let_go) as cache:  # which asks, while it waits, whether to go on
            store(cache, call(2))
            assert other.stdin is not None
            assert other.stdin.closed
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM calls").fetchone() == (2,)


def insert_more_than_memory_keeps(cache: Cache) -> None:
    """Have SQLite write to the journal before the end of the transaction."""
    rows = [(f"{number}", bytes(2_000)) for number in range(4_000)]
    insert = "INSERT INTO calls VALUES (?, 'AC', ?, null, 0, null, 1, null)"
    cache._db.executemany(insert, rows)


@can_fork
@despite_threads
class TestForkedProcess:
    def test_it_has_a_connection_of_its_own(self, path: Path) -> None:
        fill(path, call(1))
        with Cache(path) as cache:
            assert final(cache, 1) == {sid(1)}

            def use() -> None:
                assert final(cache, 1) == {sid(1)}
                store(cache, call(2))

            assert ends_well_in_a_child(use)
            assert final(cache, 1, 2) == {sid(1), sid(2)}

    def test_it_does_not_end_what_its_parent_is_writing(self, path: Path) -> None:
        with Cache(path) as cache:
            store(cache, call(1))
            with cache._db.transaction():
                insert_more_than_memory_keeps(cache)
                assert ends_well_in_a_child(cache.__exit__)
                assert ends_well_in_a_child(lambda: callkit.cache.info(path))
            assert output_of_another_process(_CLAIM_WHOLE_FILE, path) == "database is locked\n"
        assert callkit.cache.info(path).calls == 4_001
        assert callkit.cache.prune(path, timedelta(0)) == 4_001  # the file is whole

    def test_the_end_of_its_interpreter_does_not_end_what_its_parent_is_writing(
        self, path: Path
    ) -> None:
        assert output_of_another_process(_FORK_WHILE_WRITING, path) == ""
        assert callkit.cache.info(path).calls == 4_001


def test_an_interrupt_ends_the_wait_for_a_cache_that_is_being_opened(path: Path) -> None:
    fill(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(KeyboardInterrupt):
            Cache(path, lambda: True)
