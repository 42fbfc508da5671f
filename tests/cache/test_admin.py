from __future__ import annotations

import json
import sqlite3
import stat
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.cache import database
from callkit.cache.store import Cache
from callkit.errors import CacheError
from callkit.outcomes import Fetched
from tests.cache.test_store import NOON, OTHER, call, fill, final, store
from tests.support.scripted import ACCOUNT, Reply, sid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    from callkit import Client
    from tests.support.scripted import Handler, ScriptedServer

    Care: TypeAlias = Callable[[Path], object]

HERS, HIS = "+14155552671", "+442079460000"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.sqlite"


def call_from(number: int, party: str, at: datetime = NOON) -> Fetched:
    body = {"sid": sid(number), "status": "completed", "price": "-0.01", "from": party}
    return Fetched(sid(number), ACCOUNT, json.dumps(body).encode(), f"RQ{number}", at, 1)


def kept(path: Path, *numbers: int) -> set[str]:
    with Cache(path) as cache:
        return final(cache, *numbers)


def traces(folder: Path, wanted: bytes) -> list[str]:
    """Find `wanted` in the raw bytes of a folder's files, and in all that zlib makes of them."""
    found = []
    for file in folder.iterdir():
        raw = file.read_bytes()
        starts = [at for at in range(len(raw) - 1) if raw[at] == 0x78 and raw[at + 1] == 0x5E]
        if wanted in raw or any(wanted in _inflated(raw[at:]) for at in starts):
            found.append(file.name)
    return found


def _inflated(raw: bytes) -> bytes:
    """Decompress what can be, up to where it is damaged."""
    inflating, out = zlib.decompressobj(), b""
    try:
        for at in range(0, len(raw), 16):
            out += inflating.decompress(raw[at : at + 16])
            if inflating.eof:
                break
    except zlib.error:
        pass
    return out


def delete_plainly(path: Path, number: int) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA secure_delete = OFF")
        db.execute("DELETE FROM calls WHERE sid = ?", [sid(number)])
    db.close()


def test_info_counts_calls_accounts_and_times(path: Path) -> None:
    later = NOON + timedelta(days=3)
    fill(path, call(1), call(2, price=None, at=later), replace(call(3), account_sid=OTHER))
    info = callkit.cache.info(path)
    assert (info.calls, info.final, info.not_final) == (3, 2, 1)
    assert info.accounts == (ACCOUNT, OTHER)
    assert (info.fetched_first, info.fetched_last) == (NOON, later)
    assert info.size == path.stat().st_size


def test_the_old_names_of_the_counts_name_the_new_ones(path: Path) -> None:
    fill(path)
    with pytest.raises(AttributeError, match="use 'final'"):
        _ = callkit.cache.info(path).settled  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="use 'not_final'"):
        _ = callkit.cache.info(path).unsettled  # type: ignore[attr-defined]


def test_info_of_an_empty_cache(path: Path) -> None:
    fill(path)
    info = callkit.cache.info(path)
    assert (info.calls, info.final, info.not_final, info.accounts) == (0, 0, 0, ())
    assert "first fetched  -" in str(info)


def test_info_says_that_a_file_is_empty_and_leaves_it_so(path: Path) -> None:
    path.touch()
    with pytest.raises(CacheError, match="it is an empty file, without calls"):
        callkit.cache.info(path)
    assert path.stat().st_size == 0


def test_info_tells_nobodys_number(path: Path) -> None:
    fill(path, call_from(1, HERS))
    assert "5552671" not in repr(callkit.cache.info(path)) + str(callkit.cache.info(path))


def test_prune_removes_what_was_fetched_too_long_ago(path: Path) -> None:
    now = datetime.now(UTC)
    fill(path, call(1, at=now - timedelta(days=91)), call(2, at=now - timedelta(days=89)))
    assert callkit.cache.prune(path, timedelta(days=90)) == 1
    assert kept(path, 1, 2) == {sid(2)}


def test_prune_leaves_no_byte_of_what_it_removes(path: Path) -> None:
    fill(path, call_from(1, HERS), call_from(2, HIS, datetime.now(UTC)))
    callkit.cache.prune(path, timedelta(days=1))
    assert traces(path.parent, HERS.encode()) == []
    assert traces(path.parent, HIS.encode()) == ["calls.sqlite"]


def test_prune_takes_any_length_of_time(path: Path) -> None:
    fill(path, call(1))
    assert callkit.cache.prune(path, timedelta.max) == 0
    assert callkit.cache.prune(path, timedelta(0)) == 1


def test_prune_refuses_a_length_of_time_that_is_none(path: Path) -> None:
    fill(path, call(1))
    with pytest.raises(
        ValueError, match="Invalid older_than .*: expected a timedelta of zero or more"
    ):
        callkit.cache.prune(path, timedelta(days=-1))
    assert kept(path, 1) == {sid(1)}


def test_erase_removes_the_calls_of_a_number_and_no_other(path: Path) -> None:
    fill(path, call_from(1, HERS), call_from(2, HIS), call_from(3, "sip:14155552671@example.com"))
    assert callkit.cache.erase(path, ["+1 (415) 555-2671"]) == 2
    assert kept(path, 1, 2, 3) == {sid(2)}


def test_erase_takes_several_parties(path: Path) -> None:
    fill(path, call_from(1, HERS), call_from(2, HIS), call_from(3, "client:amy"))
    assert callkit.cache.erase(path, iter([HIS, "client:amy"])) == 2
    assert kept(path, 1, 2, 3) == {sid(1)}


def test_the_search_for_traces_finds_what_a_plain_delete_leaves(path: Path) -> None:
    fill(path, *(call_from(number, HIS) for number in range(20)), call_from(20, HERS))
    delete_plainly(path, 20)
    assert traces(path.parent, HERS.encode()) == ["calls.sqlite"]


def test_erase_leaves_no_byte_of_a_number(path: Path) -> None:
    fill(path, *(call_from(number, HIS) for number in range(20)), call_from(20, HERS))
    delete_plainly(path, 20)  # a trace of old
    with Cache(path) as other:
        store(other, call_from(21, HERS))
        assert set(traces(path.parent, HERS.encode())) == {"calls.sqlite", "calls.sqlite-wal"}
        assert callkit.cache.erase(path, [HERS]) == 1
        assert traces(path.parent, HERS.encode()) == []
    assert traces(path.parent, HERS.encode()) == []
    assert len(kept(path, *range(20))) == 20


def test_a_newer_record_leaves_no_byte_of_the_older(path: Path) -> None:
    fill(path, call_from(1, HERS))
    fill(path, call_from(1, "client:amy", NOON + timedelta(hours=1)))
    assert traces(path.parent, HERS.encode()) == []


def test_what_a_reader_keeps_from_being_overwritten_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    fill(path, call_from(1, HERS), call_from(2, HIS))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM calls").fetchone()
    with pytest.raises(
        CacheError, match="may still be in the file because another process is read"
    ):
        callkit.cache.erase(path, [HERS])
    reader.close()
    assert callkit.cache.erase(path, [HERS]) == 0
    assert traces(path.parent, HERS.encode()) == []


def test_erase_waits_for_a_writer_and_says_so_when_it_takes_too_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE", 0.01)
    fill(path, call_from(1, HERS))
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(CacheError, match="is in use by another process"):
        callkit.cache.erase(path, [HERS])
    writer.close()
    assert kept(path, 1) == {sid(1)}


def test_a_call_erased_under_a_run_is_in_that_run_all_the_same(
    path: Path, server: ScriptedServer, scripted_client: Client
) -> None:
    fill(path, call_from(2, HERS))

    def erase_meanwhile(handler: Handler) -> None:
        callkit.cache.erase(path, [HERS])
        handler.answer(Reply())

    server.script[sid(1)] = [erase_meanwhile]
    got = callkit.collect([sid(1), sid(2)], client=scripted_client, cache=path)
    assert got.frame["sid"].tolist() == [sid(1), sid(2)]
    assert got.failures.empty
    assert kept(path, 2) == set()


def test_only_its_owner_may_still_read_it(path: Path) -> None:
    fill(path, call_from(1, HERS), call_from(2, HIS))
    callkit.cache.erase(path, [HERS])
    callkit.cache.prune(path, timedelta(days=1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "care",
    [
        callkit.cache.info,
        lambda path: callkit.cache.prune(path, timedelta(0)),
        lambda p: callkit.cache.erase(p, [HIS]),
    ],
    ids=["info", "prune", "erase"],
)
class TestNoCache:
    def test_a_file_that_is_not_there_is_not_made(self, care: Care, path: Path) -> None:
        with pytest.raises(CacheError, match="Cannot open the cache .*: No such file or directory"):
            care(path)
        assert not path.exists()

    @pytest.mark.parametrize(
        "content", [b"", b"sid,number\n", b"SQLite format 3\x00" + b"\x00" * 84]
    )
    def test_a_foreign_file_is_refused_and_not_touched(
        self, care: Care, path: Path, content: bytes
    ) -> None:
        path.write_bytes(content)
        path.chmod(0o644)
        with pytest.raises(CacheError, match="It was left unchanged"):
            care(path)
        assert path.read_bytes() == content
        assert stat.S_IMODE(path.stat().st_mode) == 0o644

    def test_a_damaged_cache_is_refused_and_not_touched(self, care: Care, path: Path) -> None:
        fill(path, *(call(number) for number in range(500)))
        whole = path.read_bytes()
        damaged = whole[:4096] + b"\xa5" * (len(whole) - 4096)
        path.write_bytes(damaged)
        with pytest.raises(CacheError, match="damaged|cannot be used"):
            care(path)
        assert path.read_bytes() == damaged


def test_one_text_is_no_list_of_parties(path: Path) -> None:
    fill(path, call_from(1, HERS))
    with pytest.raises(ValueError, match="Invalid parties: expected a list"):
        callkit.cache.erase(path, HERS)
