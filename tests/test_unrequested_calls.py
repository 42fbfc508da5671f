"""The record of a call that nobody asked for is in no cache, log, exception or file."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import tempfile
import traceback
import zlib
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.errors import FetchInterrupted, RunStoppedError
from tests.support import hostile
from tests.support import hostile_rows as rows
from tests.support.hostile import HostileSandbox
from tests.support.scripted import QUICK_RETRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callkit import Client
    from callkit.sandbox.api import Answer
    from tests.support.hostile import Page, Trick, Turn

_DAYS = date(2025, 2, 3), date(2025, 2, 7)
_ZLIB_HEADERS = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_SOME_PAGES = 4


def the_mark() -> str:
    """Return it by a call, so that it is in no local variable that a traceback shows."""
    return "somebody" + "-else"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[HostileSandbox]:
    with HostileSandbox(seed=5) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: HostileSandbox) -> Iterator[Client]:
    with sandbox.client(retry_policy=QUICK_RETRIES, concurrency=4, give_up_after=1) as client:
        yield client
    sandbox.play(None)


@pytest.fixture(scope="module")
def sids(sandbox: HostileSandbox) -> list[str]:
    return [call.sid for call in sandbox.calls_of(*_DAYS)][::2]


@pytest.fixture
def heard(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[Callable[[], str]]:
    """Log all there is, and return it with what is written to the terminal."""
    with caplog.at_level(logging.DEBUG):
        yield lambda: caplog.text + "".join(capfd.readouterr())


@pytest.fixture(autouse=True)
def _temporary_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def marking(asked: list[str], then: Trick | None = None) -> Trick:
    """Mark the rows that are not asked for; once some pages were sent, do something else."""
    wanted, sent = set(asked), list[str]()

    def trick(turn: Turn) -> Page | Answer:
        sent.append(turn.uri)
        if then is not None and len(sent) > _SOME_PAGES:
            return then(turn)
        page = turn.page()
        marked = {"caller_name": the_mark(), "to": f"client:{the_mark()}"}
        for row in page["calls"]:
            if row["sid"] not in wanted:
                row.update(marked)
        page["calls"] += [page["calls"][0] | marked | {"price": "a lot", "sid": None}]
        return page

    return trick


def interrupting() -> Trick:
    """Send Ctrl-C once: a second one would not wait for what is under way."""
    sent: list[None] = []

    def trick(turn: Turn) -> Page:
        if not sent:
            sent.append(None)
            os.kill(os.getpid(), signal.SIGINT)
        return turn.page()

    return trick


def all_of(folder: Path) -> bytes:
    """Read all files of a folder, and what is compressed in them."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found += [content, *unpacked(content)]
    return b"".join(found)


def unpacked(content: bytes) -> Iterator[bytes]:
    """Decompress every zlib stream; a long one is broken up by the pages of SQLite."""
    for header in _ZLIB_HEADERS:
        place = content.find(header)
        while place >= 0:
            stream = zlib.decompressobj()
            try:
                yield stream.decompress(content[place:])
            except zlib.error:
                yield b""
            place = content.find(header, place + 1)


def told(error: BaseException) -> str:
    with_locals = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "".join(with_locals.format()) + repr(error) + str(error)


def shows(text: str | bytes) -> bool:
    content = text if isinstance(text, bytes) else text.encode(errors="replace")
    return the_mark().encode() in content


def test_the_scan_finds_a_record_in_a_cache(
    sandbox: HostileSandbox, client: Client, sids: list[str], tmp_path: Path
) -> None:
    """Here the calls that are marked are those asked for."""
    sandbox.play(marking([]))
    callkit.collect(sids, client=client, cache=tmp_path / "calls.sqlite", pages=True)
    assert shows(all_of(tmp_path))


@pytest.mark.parametrize(
    "then",
    [
        None,
        rows.omits_every_seventh_row,
        hostile.error_500,
        hostile.cut_short,
        rows.is_forbidden,
        rows.never_ends_with_other_calls,
    ],
)
def test_an_export_leaves_no_trace_of_them(
    sandbox: HostileSandbox,
    client: Client,
    sids: list[str],
    heard: Callable[[], str],
    then: Trick | None,
) -> None:
    folder = Path(tempfile.gettempdir())
    sandbox.play(marking(sids, then))
    out = callkit.export(
        sids,
        folder / "calls.csv",
        client=client,
        cache=folder / "calls.sqlite",
        pages=True,
        progress=True,
        format="csv",
    )
    assert len(out.frame) == len(sids)
    said = heard()
    assert "callkit.fetch.pool" in said
    assert not shows(all_of(folder))
    assert not shows(said + repr(out) + out.frame.to_csv())
    assert not shows(pickle.dumps(out.frame.attrs))


def assert_silent(error: FetchInterrupted | RunStoppedError, folder: Path, log: str) -> None:
    assert not shows(told(error))
    assert not shows(log)
    assert not shows(pickle.dumps(error))
    assert not shows(all_of(folder))


def test_an_interrupt_tells_nothing_of_them_and_has_what_arrived(
    sandbox: HostileSandbox,
    client: Client,
    sids: list[str],
    tmp_path: Path,
    heard: Callable[[], str],
) -> None:
    sandbox.play(marking(sids, interrupting()))
    cache = tmp_path / "calls.sqlite"
    expected = r"interrupted after [0-9]+ of [0-9]+ calls had arrived; .*run again to continue"
    with pytest.raises(FetchInterrupted, match=expected) as caught:
        callkit.collect(sids, client=client, cache=cache, pages=True)
    frame = caught.value.frame
    assert f"after {len(frame)} of {len(sids)} calls" in str(caught.value)
    assert set(frame["sid"]) < set(sids)
    assert_silent(caught.value, tmp_path, heard())


def test_after_an_interrupt_a_run_continues_from_the_cache(
    sandbox: HostileSandbox, client: Client, sids: list[str], tmp_path: Path
) -> None:
    sandbox.play(marking(sids, interrupting()))
    cache = tmp_path / "calls.sqlite"
    with pytest.raises(FetchInterrupted) as caught:
        callkit.collect(sids, client=client, cache=cache, pages=True)
    sandbox.play(None)
    before = sandbox.served[200]
    got = callkit.to_frame(sids, client=client, cache=cache, pages=False)
    assert got["sid"].tolist() == sids
    in_flight = 4  # when the run was interrupted: the server may count them later
    assert sandbox.served[200] - before <= len(sids) - len(caught.value.frame) + in_flight


def test_a_run_that_is_stopped_tells_nothing_of_them(
    sandbox: HostileSandbox,
    client: Client,
    sids: list[str],
    tmp_path: Path,
    heard: Callable[[], str],
) -> None:
    def refuses_everything(turn: Turn) -> Answer:
        sandbox.limit = 0
        return hostile.error_429(turn)

    sandbox.play(marking(sids, refuses_everything))
    try:
        with pytest.raises(RunStoppedError, match="No successful response") as caught:
            callkit.collect(sids, client=client, cache=tmp_path / "calls.sqlite", pages=True)
    finally:
        sandbox.limit = None
    assert_silent(caught.value, tmp_path, heard())
