"""Chunks: calls that arrive in any order are handed over in that of the list."""

from __future__ import annotations

import random

from callkit.chunks import Chunks
from callkit.loop import SidList
from callkit.normaliser import to_table
from callkit.outcomes import Failure
from callkit.sids import CallKey
from callkit.terminal import Interrupts
from tests.support.scripted import sid


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


def test_a_generator_of_cached_calls_is_read_twice_as_many_at_a_time() -> None:
    generated = SidList(CallKey(sid(number), None) for number in range(100))
    sizes = []
    for _ in range(4):
        sizes.append(len(generated.read(50, None, Interrupts())))
        generated.missing = 0
        generated.read(0, None, Interrupts())  # no room for more calls
    assert sizes == [1, 2, 4, 8]


def test_chunks_show_no_call() -> None:
    chunks = Chunks()
    expect(chunks, 0)
    assert sid(0) not in repr(chunks)
