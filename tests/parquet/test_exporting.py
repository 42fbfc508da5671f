from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

import callkit
from callkit import FetchError, ParquetError, WrongAccountError
from callkit.outcomes import failures_frame
from tests.scripted import Reply, ScriptedServer, sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox

HEADER = ",".join(failures_frame([]).columns) + "\n"


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


@pytest.mark.parametrize("content", ["sid,note\nmine,precious\n", "", HEADER[:-1] + ",note\n"])
def test_a_failures_file_that_no_export_wrote_is_left_alone(
    server: ScriptedServer, scripted_client: Client, path: Path, beside: Path, content: str
) -> None:
    beside.write_text(content)
    with pytest.raises(ParquetError, match="is no failures file of callkit's: move it"):
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
    with pytest.raises(ParquetError, match=r"failures\.csv' cannot be written: Is a directory"):
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
    with pytest.raises(ParquetError, match=r"that this export would replace: .* with cache=…"):
        callkit.export(path.parent / source, path, client=scripted_client)
    assert (path.read_bytes(), beside.read_bytes()) == before
    assert server.paths == []


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
    with pytest.raises(WrongAccountError) as caught:
        callkit.export([sid(number) for number in range(1000)], path, client=scripted_client)
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


def test_export_that_is_broken_off_leaves_nothing_behind(
    client: Client, sandbox: Sandbox, path: Path
) -> None:
    def interrupted() -> object:
        yield from sandbox.sids(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        callkit.export(interrupted(), path, client=client)  # type: ignore[arg-type]
    assert left_in(path.parent) == []
