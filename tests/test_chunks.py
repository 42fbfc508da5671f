"""Chunks: calls that arrive in any order are handed over in that of the list."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from callkit.chunks import WHOLE_LIST, Chunks
from callkit.normaliser import to_table
from callkit.outcomes import Failure
from callkit.sids import CallKey
from tests.support.scripted import sid
from tests.support.waiting import on_linux, open_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def expect(chunks: Chunks, *numbers: int) -> None:
    chunks.expect([CallKey(sid(number), None) for number in numbers])


def add(chunks: Chunks, *numbers: int) -> None:
    table, _ = to_table([{"sid": sid(number)} for number in numbers])
    chunks.add(table)


def fail(chunks: Chunks, number: int) -> None:
    chunks.fail(Failure(sid(number), None, "not_found", ""))


def finished(chunks: Chunks, *, rest: bool = False) -> list[list[str]]:
    return [table["sid"].to_pylist() for table in chunks.finished(rest=rest)]


def test_a_chunk_is_handed_over_when_its_last_call_has_arrived() -> None:
    chunks = Chunks(size=3)
    expect(chunks, 0, 1, 2, 3)
    add(chunks, 2, 0)
    assert finished(chunks) == []
    add(chunks, 1)
    assert finished(chunks) == [[sid(0), sid(1), sid(2)]]


def test_a_later_chunk_waits_for_the_one_before() -> None:
    chunks = Chunks(size=2)
    expect(chunks, 0, 1, 2, 3)
    add(chunks, 2, 3, 1)
    assert finished(chunks) == []
    add(chunks, 0)
    assert finished(chunks) == [[sid(0), sid(1)], [sid(2), sid(3)]]


def test_the_next_chunk_may_be_read_while_one_is_under_way_and_no_further() -> None:
    chunks = Chunks(size=2)
    assert chunks.room == 4
    expect(chunks, 0, 1, 2)
    assert chunks.room == 1
    add(chunks, 0, 1)
    assert finished(chunks) == [[sid(0), sid(1)]]
    assert chunks.room == 3


def test_what_failed_is_told_in_the_order_of_the_list() -> None:
    chunks = Chunks(size=4)
    expect(chunks, 0, 1, 2, 3)
    fail(chunks, 2)
    add(chunks, 3, 1)
    fail(chunks, 0)
    assert finished(chunks) == [[sid(1), sid(3)]]
    assert [failure.sid for failure in chunks.failures] == [sid(0), sid(2)]


def test_the_rest_is_what_has_arrived() -> None:
    chunks = Chunks(size=4)
    expect(chunks, *range(6))
    add(chunks, 5, 3, 1)
    assert finished(chunks, rest=True) == [[sid(1), sid(3)], [sid(5)]]


def test_any_order_of_arrival_gives_the_order_of_the_list() -> None:
    rng = random.Random(5)
    chunks = Chunks(size=7)
    waiting = list(range(30))
    handed_over: list[str] = []
    read: list[int] = []
    while waiting or read:
        while waiting and chunks.room:
            read.append(waiting.pop(0))
            expect(chunks, read[-1])
        batch = rng.sample(read, rng.randint(1, len(read)))
        read = [number for number in read if number not in batch]
        add(chunks, *batch)
        for sids in finished(chunks):
            handed_over += sids
    for sids in finished(chunks, rest=True):
        handed_over += sids
    assert handed_over == [sid(number) for number in range(30)]


# The whole list at once


def handed_over(chunks: Chunks, *batches: list[int]) -> list[str]:
    """Add calls, and give those that are handed over in the meantime."""
    sids = []
    for batch in batches:
        add(chunks, *batch)
        sids += [each for table in finished(chunks) for each in table]
    return sids


def shuffled(number: int, at_once: int) -> list[list[int]]:
    order = random.Random(11).sample(range(number), number)
    return [order[start : start + at_once] for start in range(0, number, at_once)]


@pytest.fixture
def whole() -> Iterator[Chunks]:
    chunks = Chunks(size=7, ahead=WHOLE_LIST)
    yield chunks
    chunks.close()


def test_calls_of_any_of_forty_chunks_are_handed_over_in_the_order_of_the_list(
    whole: Chunks,
) -> None:
    expect(whole, *range(280))
    got = handed_over(whole, *shuffled(280, at_once=9))
    assert got == [sid(number) for number in range(280)]


def test_a_call_of_the_first_chunk_that_comes_last_delays_all_others(whole: Chunks) -> None:
    expect(whole, *range(280))
    assert handed_over(whole, list(range(1, 280))) == []
    assert handed_over(whole, [0]) == [sid(number) for number in range(280)]


def test_failures_of_any_chunk_are_told_in_the_order_of_the_list(whole: Chunks) -> None:
    expect(whole, *range(70))
    for number in (64, 3, 31, 30):
        fail(whole, number)
    handed_over(whole, [number for number in range(70) if number not in {64, 3, 31, 30}])
    assert [each.sid for each in whole.failures] == [sid(number) for number in (3, 30, 31, 64)]


def test_what_is_pending_is_what_has_not_arrived(whole: Chunks) -> None:
    expect(whole, *range(70))
    add(whole, *range(1, 68))
    fail(whole, 69)
    assert whole.pending == {sid(0): 0, sid(68): 68}


def test_the_whole_list_may_be_read_at_once(whole: Chunks) -> None:
    expect(whole, *range(280))
    assert whole.room > 10**9


def test_the_calls_handed_over_are_counted(whole: Chunks) -> None:
    expect(whole, *range(70))
    handed_over(whole, list(range(60)))
    assert whole.calls == 56


@on_linux
def test_two_chunks_wait_in_memory(whole: Chunks, temporary_folder: Path) -> None:
    expect(whole, *range(280))
    add(whole, *range(100, 114))
    assert open_files(temporary_folder) == 0


@on_linux
def test_more_than_two_chunks_wait_in_a_file(whole: Chunks, temporary_folder: Path) -> None:
    expect(whole, *range(280))
    add(whole, *range(100, 115))
    assert open_files(temporary_folder) == 1


def test_closed_chunks_hand_over_nothing_more(whole: Chunks) -> None:
    expect(whole, *range(70))
    add(whole, *range(70))
    whole.close()
    assert finished(whole) == []


def test_chunks_show_no_call() -> None:
    chunks = Chunks()
    expect(chunks, 0)
    assert sid(0) not in repr(chunks)
