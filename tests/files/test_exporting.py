from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from callkit import FetchError
from callkit.errors import FetchInterrupted, ParquetError, WrongAccountError
from callkit.files.replacing import complete
from callkit.normaliser.casts import failures_frame
from tests.support.scripted import ACCOUNT, TOKEN, Handler, Reply, ScriptedServer, call_body, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox

HEADER = ",".join(failures_frame([]).columns) + "\n"
FORMS: dict[str, dict[str, Any]] = {
    "calls.parquet": {},
    "calls": {"by_month": True},
    "calls.csv": {"format": "csv"},
    "calls.jsonl": {"format": "jsonl"},
}
BESIDE = {
    "calls.parquet": "calls.failures.csv",
    "calls": "calls.by-month.failures.csv",
    "calls.csv": "calls.csv.failures.csv",
    "calls.jsonl": "calls.jsonl.failures.csv",
}
in_every_form = pytest.mark.parametrize(("name", "form"), FORMS.items(), ids=FORMS)

EXPORT_BY_MONTH = """
import sys, callkit
callkit.export(sys.argv[1:], "calls", by_month=True)
"""


@pytest.fixture
def beside(path: Path) -> Path:
    return path.with_suffix(".failures.csv")


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_export_writes_what_to_frame_returns(sandbox: Sandbox, client: Client, path: Path) -> None:
    sids = sandbox.sid_frame(600)
    out = callkit.export(sids, path, client=client)
    assert (out.path, out.calls, out.failures_path) == (path, 600, None)
    assert left_in(path.parent) == ["calls.parquet"]
    pd.testing.assert_frame_equal(callkit.read_parquet(path), callkit.to_frame(sids, client=client))


def test_export_writes_both_files_and_then_raises(
    sandbox: Sandbox, client: Client, path: Path, beside: Path
) -> None:
    known, unknown = sandbox.sids(20), sandbox.unknown_sids(2)
    with pytest.raises(FetchError, match="2 failures: 2 not_found, of 22 calls") as caught:
        callkit.export(known + unknown, path, client=client)
    assert callkit.read_parquet(path)["sid"].tolist() == known
    assert pd.read_csv(beside)["sid"].tolist() == unknown
    pd.testing.assert_frame_equal(caught.value.frame, callkit.read_parquet(path))
    assert caught.value.failures["sid"].tolist() == unknown


def test_export_takes_its_own_old_failures_file_away(
    sandbox: Sandbox, client: Client, path: Path, beside: Path
) -> None:
    with pytest.raises(FetchError):
        callkit.export(sandbox.unknown_sids(1), path, client=client)
    callkit.export(sandbox.sids(5), path, client=client)
    assert not beside.exists()


def test_a_result_of_an_export_travels_in_a_pickle(
    sandbox: Sandbox, client: Client, path: Path
) -> None:
    out = callkit.export(sandbox.sids(3), path, client=client)
    again = pickle.loads(pickle.dumps(out))
    assert again.path == path
    pd.testing.assert_frame_equal(again.frame, out.frame)
    assert again.table.equals(out.table)


@pytest.mark.parametrize("content", ["sid,note\nmine,precious\n", "", HEADER[:-1] + ",note\n"])
def test_a_failures_file_that_no_export_wrote_is_left_alone(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path, content: str
) -> None:
    beside.write_text(content)
    with pytest.raises(ParquetError, match="callkit did not write that file. Move it"):
        callkit.export([sid(1)], path, client=scripted_client)
    assert beside.read_text() == content
    assert server.paths == []


def test_export_finds_out_first_whether_it_can_write(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    with pytest.raises(ParquetError, match="cannot be written"):
        callkit.export([sid(1)], tmp_path / "missing" / "calls.parquet", client=scripted_client)
    assert server.paths == []


def test_export_finds_out_first_whether_failures_can_go_beside_it(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path
) -> None:
    beside.mkdir()
    with pytest.raises(
        ParquetError, match=r"failures\.csv' cannot be written: .* it is a directory"
    ):
        callkit.export([sid(1)], path, client=scripted_client)
    assert server.paths == []


@pytest.mark.parametrize("source", ["calls.parquet", "calls.failures.csv", "link.csv"])
def test_export_never_replaces_the_list_it_reads(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path, source: str
) -> None:
    callkit.to_parquet(pd.DataFrame({"sid": [sid(1), sid(2)]}), path)
    beside.write_text(f"{HEADER}{sid(2)}{',' * HEADER.count(',')}\n")
    (path.parent / "link.csv").symlink_to(beside)
    before = path.read_bytes(), beside.read_bytes()
    with pytest.raises(ParquetError, match=r"Refusing to replace .* with cache=…"):
        callkit.export(path.parent / source, path, client=scripted_client)
    assert (path.read_bytes(), beside.read_bytes()) == before
    assert server.paths == []


@pytest.mark.parametrize(
    ("name", "form", "cache"),
    [
        ("c.sqlite", {}, "c.sqlite"),
        ("c.sqlite-wal", {}, "c.sqlite"),
        ("c.sqlite-shm", {}, "c.sqlite"),
        ("c.sqlite-journal", {}, "c.sqlite"),
        ("c.sqlite", {}, "link.sqlite"),
        ("c.parquet", {}, "c.failures.csv"),
        ("calls", {"by_month": True}, "calls/c.sqlite"),
    ],
)
def test_export_never_makes_a_cache_where_it_will_write(
    server: ScriptedServer, tmp_path: Path, name: str, form: dict[str, Any], cache: str
) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "link.sqlite").symlink_to("c.sqlite")
    before = left_in(tmp_path)
    with (
        server.client() as client,
        pytest.raises(ParquetError, match="would replace the cache .* keep the cache elsewhere"),
    ):
        callkit.export([sid(1)], tmp_path / name, client=client, cache=tmp_path / cache, **form)
    assert (left_in(tmp_path), server.paths) == (before, [])


@pytest.mark.parametrize("cache", ["c.parquet", "c.failures.csv"])
def test_export_never_replaces_its_cache(
    scripted_client: Client, tmp_path: Path, cache: str
) -> None:
    callkit.collect([sid(1)], client=scripted_client, cache=tmp_path / cache)
    before = (tmp_path / cache).read_bytes()
    with pytest.raises(ParquetError, match="would replace the cache"):
        callkit.export(
            [sid(2)], tmp_path / "c.parquet", client=scripted_client, cache=tmp_path / cache
        )
    assert (tmp_path / cache).read_bytes() == before


def test_one_format_leaves_the_failures_of_another(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path
) -> None:
    server.script[sid(1)] = [Reply(403, b"{}")]
    with pytest.raises(FetchError):
        callkit.export([sid(1), sid(2)], path, client=scripted_client)
    for name, form in FORMS.items():
        if name != path.name:
            callkit.export([sid(2)], path.with_name(name), client=scripted_client, **form)
    assert pd.read_csv(beside)["sid"].tolist() == [sid(1)]


def test_what_takes_the_name_of_the_failures_meanwhile_is_left_alone(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path
) -> None:
    def come_in_the_way(handler: Handler) -> None:
        beside.mkdir()
        handler.answer(Reply())

    server.script[sid(1)] = [come_in_the_way]
    callkit.export([sid(1)], path, client=scripted_client)
    assert callkit.read_parquet(path)["sid"].tolist() == [sid(1)]
    assert left_in(path.parent) == ["calls.failures.csv", "calls.parquet"]


def test_failures_that_cannot_be_written_where_something_came_meanwhile_are_not_lost(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path
) -> None:
    def come_in_the_way(handler: Handler) -> None:
        beside.mkdir()
        handler.answer(Reply(403, b"{}"))

    server.script[sid(1)] = [come_in_the_way]
    with pytest.raises(ParquetError, match="failures.csv' cannot be written: .* it is a directory"):
        callkit.export([sid(1), sid(2)], path, client=scripted_client)
    with pytest.raises(ParquetError, match="interrupted while it replaced calls and failures"):
        callkit.read_parquet(path)
    beside.rmdir()
    complete(path)
    assert callkit.read_parquet(path)["sid"].tolist() == [sid(2)]
    assert pd.read_csv(beside)["sid"].tolist() == [sid(1)]


def test_failures_export_to_another_file_and_are_put_together(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path
) -> None:
    server.script[sid(2)] = [Reply(403, b"{}")]
    with pytest.raises(FetchError):
        callkit.export([sid(1), sid(2)], path, client=scripted_client)
    again = path.with_name("again.parquet")
    callkit.export(beside, again, client=scripted_client)
    both = pd.concat([callkit.read_parquet(path), callkit.read_parquet(again)])
    assert both["sid"].tolist() == [sid(1), sid(2)]


def test_a_run_stopped_before_the_first_call_leaves_what_was_there(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path
) -> None:
    server.script[sid(2)] = [Reply(403, b"{}")]
    with pytest.raises(FetchError):
        callkit.export([sid(1), sid(2)], path, client=scripted_client)
    before = path.read_bytes(), beside.read_bytes()
    server.always = Reply(404, b"{}")
    with server.client() as another, pytest.raises(WrongAccountError) as caught:
        callkit.export([sid(number) for number in range(1000)], path, client=another)
    assert (path.read_bytes(), beside.read_bytes()) == before
    assert left_in(path.parent) == ["calls.failures.csv", "calls.parquet"]
    assert caught.value.frame.empty
    assert len(caught.value.failures) == 1000


def test_a_run_stopped_before_the_first_call_leaves_no_file(
    server: ScriptedServer, scripted_client: Client, path: Path
) -> None:
    server.always = Reply(404, b"{}")
    with pytest.raises(WrongAccountError):
        callkit.export([sid(number) for number in range(1000)], path, client=scripted_client)
    assert left_in(path.parent) == []


@in_every_form
def test_an_interrupted_export_hands_over_what_came_and_leaves_nothing_behind(
    server: ScriptedServer, tmp_path: Path, name: str, form: dict[str, Any]
) -> None:
    over = threading.Event()

    def interrupt(_: Handler) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(60)

    body = call_body(sid(1), price="-0.01", start_time="Sun, 09 Mar 2025 08:05:17 +0000")
    server.script[sid(1)] = [Reply(body=body)]
    server.script[sid(2)] = [interrupt]
    with (
        server.client(concurrency=1) as client,
        pytest.raises(FetchInterrupted, match="interrupted after 1 of 2 calls") as caught,
    ):
        callkit.export([sid(1), sid(2)], tmp_path / name, client=client, **form)
    over.set()
    pd.testing.assert_frame_equal(caught.value.frame, callkit.normalise([body]))
    assert caught.value.frame.attrs["callkit"]["calls_got"] == 1
    assert not (tmp_path / name).exists()
    gc.disable()
    try:
        del caught
        assert left_in(tmp_path) == []
    finally:
        gc.enable()


def test_an_interrupted_export_with_a_cache_keeps_the_calls_there_alone(
    server: ScriptedServer, scripted_client: Client, path: Path
) -> None:
    def interrupt(_: Handler) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(60)

    over = threading.Event()
    server.script[sid(1)] = [Reply(body=call_body(sid(1), status="completed", price="-0.01"))]
    server.script[sid(2)] = [interrupt]
    cache = path.with_name("calls.sqlite")
    with pytest.raises(
        FetchInterrupted, match="in .*calls.sqlite.*: run again to continue"
    ) as caught:
        callkit.export([sid(1), sid(2)], path, client=scripted_client, cache=cache)
    over.set()
    assert left_in(path.parent) == ["calls.sqlite"]
    with pytest.raises(AttributeError, match="are in the cache"):
        _ = caught.value.frame
    assert callkit.to_frame([sid(1)], cache=cache)["sid"].tolist() == [sid(1)]


@in_every_form
def test_each_form_keeps_what_came_and_lists_what_failed(
    sandbox: Sandbox, client: Client, tmp_path: Path, name: str, form: dict[str, Any]
) -> None:
    known, unknown = sandbox.sids(200), sandbox.unknown_sids(2)
    with pytest.raises(FetchError, match="2 failures: 2 not_found, of 202 calls") as caught:
        callkit.export(known + unknown, tmp_path / name, client=client, **form)
    assert left_in(tmp_path) == sorted([name, BESIDE[name]])
    assert pd.read_csv(tmp_path / BESIDE[name])["sid"].tolist() == unknown
    arrived = callkit.to_frame(known, client=client)
    pd.testing.assert_frame_equal(by_sid(caught.value.frame), by_sid(arrived))


@in_every_form
def test_an_empty_list_makes_an_empty_whole(
    server: ScriptedServer,
    scripted_client: Client,
    tmp_path: Path,
    name: str,
    form: dict[str, Any],
) -> None:
    assert callkit.export([], tmp_path / name, client=scripted_client, **form).calls == 0
    assert left_in(tmp_path) == [name]


@in_every_form
def test_a_run_stopped_before_the_first_call_has_a_frame_of_all_columns(
    server: ScriptedServer,
    scripted_client: Client,
    tmp_path: Path,
    name: str,
    form: dict[str, Any],
) -> None:
    server.always = Reply(404, b"{}")
    sids = [sid(number) for number in range(1000)]
    with pytest.raises(WrongAccountError) as caught:
        callkit.export(sids, tmp_path / name, client=scripted_client, **form)
    pd.testing.assert_frame_equal(caught.value.frame, callkit.normalise([]))
    assert left_in(tmp_path) == []


def test_an_export_by_month_holds_what_to_frame_returns(
    sandbox: Sandbox, client: Client, tmp_path: Path
) -> None:
    sids = sandbox.sids(600)
    out = callkit.export(sids, tmp_path / "calls", client=client, by_month=True)
    assert out.path == tmp_path / "calls"
    months = {folder.name for folder in out.path.iterdir()}
    assert months == {"month=2025-01", "month=2025-02", "month=2025-03", "month=none"}
    df = callkit.to_frame(sids, client=client)
    pd.testing.assert_frame_equal(by_sid(callkit.read_parquet(out.path)), by_sid(df))


def test_a_folder_that_holds_anything_else_is_found_out_first(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "notes.txt").write_text("mine")
    with pytest.raises(ParquetError, match=r"Refusing to replace .* 'notes\.txt'"):
        callkit.export([sid(1)], tmp_path / "calls", client=scripted_client, by_month=True)
    assert server.paths == []


def test_a_dataset_is_not_replaced_by_an_export_of_a_file_within(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    df = callkit.normalise([call_body(sid(1))])
    callkit.to_parquet(df, tmp_path / "calls", by_month=True)
    source = tmp_path / "calls" / "month=none" / "part-0.parquet"
    with pytest.raises(ParquetError, match="Refusing to replace"):
        callkit.export(source, tmp_path / "calls", client=scripted_client, by_month=True)
    assert server.paths == []


@pytest.mark.parametrize(
    ("name", "beside"),
    [("calls.2025", "calls.2025.failures.csv"), ("calls.parquet", "calls.failures.csv")],
)
def test_only_the_ending_of_parquet_is_left_out_of_the_failures_name(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path, name: str, beside: str
) -> None:
    server.script[sid(2)] = [Reply(403, b"{}")]
    with pytest.raises(FetchError):
        callkit.export([sid(1), sid(2)], tmp_path / name, client=scripted_client)
    assert left_in(tmp_path) == sorted([name, beside])


def test_the_folder_one_stands_in_has_its_failures_beside_it(
    server: ScriptedServer,
    scripted_client: Client,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "calls").mkdir()
    monkeypatch.chdir(tmp_path / "calls")
    server.script[sid(2)] = [Reply(403, b"{}")]
    with pytest.raises(FetchError):
        callkit.export([sid(1), sid(2)], ".", client=scripted_client, by_month=True)
    assert left_in(tmp_path) == ["calls", "calls.by-month.failures.csv"]


@pytest.mark.parametrize(
    ("name", "form", "sentence"),
    [
        (
            "calls.xlsx",
            {},
            "Cannot write the workbook .*: callkit writes .parquet, .csv and",
        ),
        ("calls.csv", {}, "calls.csv' would contain parquet: pass format='csv'"),
        ("calls.jsonl", {"format": "csv"}, "would contain csv: pass format='jsonl'"),
        (
            "calls",
            {"format": "xlsx"},
            "Invalid format 'xlsx': expected 'parquet' or 'csv'",
        ),
        (
            "calls",
            {"format": "csv", "by_month": True},
            "by_month=True works with Parquet only",
        ),
    ],
)
def test_a_format_that_is_none_or_not_the_names_is_refused(
    tmp_path: Path, name: str, form: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((ParquetError, ValueError), match=sentence):
        callkit.export([sid(1)], tmp_path / name, **form)


def test_a_kill_during_an_export_by_month_leaves_the_dataset_of_before(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    before = callkit.normalise([call_body(sid(1), price="-0.01")])
    callkit.to_parquet(before, tmp_path / "calls", by_month=True)
    asked, over = threading.Event(), threading.Event()

    def never_answer(_: Handler) -> None:
        asked.set()
        over.wait(60)

    server.script[sid(3)] = [never_answer]
    with subprocess.Popen(
        [sys.executable, "-c", EXPORT_BY_MONTH, sid(2), sid(3)],
        cwd=tmp_path,
        env={
            **os.environ,
            "TWILIO_ACCOUNT_SID": ACCOUNT,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLKIT_BASE_URL": server.url,
        },
    ) as process:
        assert asked.wait(60)
        process.kill()
    over.set()
    pd.testing.assert_frame_equal(callkit.read_parquet(tmp_path / "calls"), before)
    callkit.export([sid(2)], tmp_path / "calls", client=scripted_client, by_month=True)
    assert callkit.read_parquet(tmp_path / "calls")["sid"].tolist() == [sid(2)]


def by_sid(df: pd.DataFrame) -> pd.DataFrame:
    return df.sort_values("sid", ignore_index=True)
