"""A cache that cannot take calls any more: what is said of them is true, and none is lost."""

from __future__ import annotations

import os
import random
import re
import signal
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.errors import CacheWarning, FetchInterrupted
from tests.support.scripted import Handler, Reply, ScriptedServer, call_body, sid
from tests.support.small_disks import files_up_to, on_posix

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit import Client

ALL = 4_000
NUMBERS = {sid(number): number for number in range(ALL)}
SOME = 2_000_000  # bytes, for about half of the calls
NONE = 60_000  # bytes: an empty cache


def of_a_kilobyte(number: int) -> bytes:
    incompressible = random.Random(number).randbytes(600).hex()
    return call_body(sid(number), status="completed", forwarded_from=incompressible)


def answer_and_interrupt(handler: Handler) -> None:
    number = NUMBERS[handler.call_sid]
    if number == ALL - 1:
        os.kill(os.getpid(), signal.SIGINT)
    handler.answer(Reply(body=of_a_kilobyte(number)))


def interrupted(client: Client, cache: Path, size: int) -> FetchInterrupted:
    with (
        files_up_to(size),
        pytest.warns(CacheWarning, match="continues without it"),
        pytest.raises(FetchInterrupted) as caught,
    ):
        callkit.to_frame(list(NUMBERS), client=client, cache=cache)
    return caught.value


@on_posix
def test_an_interrupt_says_how_many_calls_a_full_cache_has(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    server.always = answer_and_interrupt
    cache = tmp_path / "calls.sqlite"
    interruption = interrupted(scripted_client, cache, SOME)
    said = re.search(r"after ([\d,]+) of 4,000 .* has only ([\d,]+) of them", str(interruption))
    assert said is not None
    arrived, stored = (int(number.replace(",", "")) for number in said.groups())
    assert 0 < stored < arrived
    assert (arrived, stored) == (len(interruption.frame), callkit.cache.info(cache).calls)


@on_posix
def test_an_interrupt_claims_no_call_that_a_full_cache_lacks(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    server.always = answer_and_interrupt
    cache = tmp_path / "calls.sqlite"
    interruption = interrupted(scripted_client, cache, NONE)
    assert " has none of them, " in str(interruption)
    assert callkit.cache.info(cache).calls == 0
    assert len(interruption.frame) > 0


def test_a_cache_found_damaged_during_a_run_loses_no_call(
    server: ScriptedServer, scripted_client: Client, tmp_path: Path
) -> None:
    def damaging() -> Iterator[str]:
        yield from map(sid, range(1_000, 1_010))
        with cache.open("rb+") as file:
            file.seek(8 * 4_096)
            file.write(bytes(cache.stat().st_size - 8 * 4_096))
        yield from map(sid, range(1_000))

    cache = tmp_path / "calls.sqlite"
    server.always = Reply()
    callkit.to_frame(map(sid, range(1_000)), client=scripted_client, cache=cache)
    with pytest.warns(CacheWarning, match="calls.sqlite.* The run continues without it"):
        got = callkit.to_frame(damaging(), client=scripted_client, cache=cache)
    assert sorted(got["sid"]) == [sid(number) for number in range(1_010)]
