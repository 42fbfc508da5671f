"""Rows that wait for their turn: in memory or in a file, they leave in order and each once."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callkit.normaliser import to_table
from callkit.schema import SCHEMA
from callkit.waiting import Memory, WaitingRows
from tests.normaliser.calls import body, numbered
from tests.support.forked import can_fork, despite_threads, ends_well_in_a_child
from tests.support.waiting import calls, numbers, on_linux, open_files, output_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = 0  # room in memory: all rows go to a file


def leaving(waiting: WaitingRows) -> pa.Table:
    return pa.concat_tables([SCHEMA.empty_table(), *waiting.in_order()])


@pytest.fixture(
    params=[(10**9, 8), (FULL, 8), (FULL, 0)], ids=["in memory", "in a file", "in a shared file"]
)
def waiting(request: pytest.FixtureRequest) -> Iterator[WaitingRows]:
    waiting = WaitingRows(Memory(*request.param))
    yield waiting
    waiting.close()


def test_without_rows_nothing_leaves(waiting: WaitingRows) -> None:
    waiting.add(SCHEMA.empty_table())
    assert (list(waiting.in_order()), waiting.count) == ([], 0)


def test_rows_leave_by_start(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 30), (2, 10)))
    waiting.add(calls((3, 20)))
    assert numbers(leaving(waiting)) == [2, 3, 1]


def test_rows_that_started_together_leave_by_sid(waiting: WaitingRows) -> None:
    waiting.add(calls((3, 0), (1, 0)))
    waiting.add(calls((2, 0)))
    assert numbers(leaving(waiting)) == [1, 2, 3]


def test_large_rows_leave_a_few_at_a_time(waiting: WaitingRows) -> None:
    for start in range(0, 40, 8):
        waiting.add(calls(*((n, n) for n in range(start, start + 8)), caller_name="x" * 1_000_000))
    tables = list(waiting.in_order())
    assert max(table.nbytes for table in tables) < 10_000_000
    assert numbers(pa.concat_tables(tables)) == list(range(40))


def test_rows_leave_unchanged(waiting: WaitingRows) -> None:
    table = calls((1, 10), (2, 20), (3, 30))
    waiting.add(table)
    assert leaving(waiting).equals(table)


def test_every_null_leaves_as_a_null(waiting: WaitingRows) -> None:
    names = set(SCHEMA.names) - {"sid", "start_time", "date_updated"}
    absent, _ = to_table([body(sid=numbered(2), **dict.fromkeys(names))])
    waiting.add(absent)
    [row] = leaving(waiting).to_pylist()
    assert {name for name, value in row.items() if value is None} == names


def test_a_value_that_no_vocabulary_lists_stays(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 10), status="paused", direction="sideways", answered_by="parrot"))
    waiting.add(calls((2, 20), status="held"))
    got = leaving(waiting)
    assert got["status"].to_pylist() == ["paused", "held"]
    assert [got[name].to_pylist()[0] for name in ("direction", "answered_by")] == [
        "sideways",
        "parrot",
    ]


def test_tables_that_leave_have_the_types_of_the_schema(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 0)))
    assert leaving(waiting).schema.equals(SCHEMA)


# A call that is there twice


@pytest.mark.parametrize("last", ["older", "newer"])
def test_of_a_call_that_is_there_twice_the_newest_record_leaves(
    waiting: WaitingRows, last: str
) -> None:
    older, newer = calls((1, 0), price=None), calls((1, 0), updated=1, price="-0.02")
    for table in (newer, older) if last == "older" else (older, newer):
        waiting.add(table)
    assert leaving(waiting).equals(newer)


def test_of_records_of_the_same_time_the_last_to_arrive_leaves(waiting: WaitingRows) -> None:
    for price in ("-0.01", "-0.03", "-0.02"):
        waiting.add(calls((1, 0), price=price))
    assert leaving(waiting).equals(calls((1, 0), price="-0.02"))


def test_a_record_with_a_time_is_newer_than_one_without(waiting: WaitingRows) -> None:
    untimed, _ = to_table([body(sid=numbered(1), date_updated=None)])
    timed, _ = to_table([body(sid=numbered(1))])
    waiting.add(timed)
    waiting.add(untimed)
    assert leaving(waiting).equals(timed)


def test_a_call_whose_start_has_moved_leaves_once_at_its_new_place(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 0), (2, 10)))
    waiting.add(calls((1, 20), updated=1))
    assert numbers(leaving(waiting)) == [2, 1]


def test_repeated_rows_are_counted_while_they_wait(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 0), (2, 0)))
    waiting.add(calls((2, 0)))
    assert waiting.count == 3


# Any order


arrivals = st.lists(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 5), st.integers(0, 3)), max_size=8),
    max_size=6,
)


def newest(pages: list[list[tuple[int, int, int]]]) -> list[tuple[int, int, int]]:
    """The specification: a plain dictionary, sorted."""
    kept: dict[int, tuple[int, int, int]] = {}
    for number, second, updated in (row for page in pages for row in page):
        if number not in kept or updated >= kept[number][2]:
            kept[number] = (number, second, updated)
    return sorted(kept.values(), key=lambda row: (row[1], row[0]))


@given(arrivals, st.integers(0, 40))
@settings(max_examples=30)
def test_rows_leave_the_same_however_they_arrive_and_wherever_they_wait(
    pages: list[list[tuple[int, int, int]]], in_memory: int
) -> None:
    memory = Memory(in_memory)
    waiting = WaitingRows(memory)
    for page in pages:
        tables = [calls((number, second), updated=updated) for number, second, updated in page]
        waiting.add(pa.concat_tables([SCHEMA.empty_table(), *tables]))
    expected = [calls((number, second), updated=at) for number, second, at in newest(pages)]
    assert leaving(waiting).equals(pa.concat_tables([SCHEMA.empty_table(), *expected]))
    waiting.close()
    assert memory.room == in_memory


@pytest.fixture(scope="module")
def many() -> pa.Table:
    rows = [(number, number // 3) for number in range(20_000)]
    return calls(*random.Random(7).sample(rows, len(rows)))


def test_thousands_of_rows_leave_in_several_tables(waiting: WaitingRows, many: pa.Table) -> None:
    for start in range(0, len(many), 1_000):
        waiting.add(many.slice(start, 1_000))
    tables = list(waiting.in_order())
    assert len(tables) > 1
    assert numbers(pa.concat_tables(tables)) == list(range(20_000))


# Where they wait


@on_linux
def test_a_few_rows_need_no_file(temporary_folder: Path) -> None:
    waiting = WaitingRows(Memory())
    waiting.add(calls((1, 0)))
    assert open_files(temporary_folder) == 0


@on_linux
def test_rows_beyond_those_in_memory_are_in_a_file_until_they_are_closed(
    temporary_folder: Path,
) -> None:
    waiting = WaitingRows(Memory(FULL))
    waiting.add(calls((1, 0)))
    assert open_files(temporary_folder) == 1
    waiting.close()
    assert open_files(temporary_folder) == 0


def test_the_file_has_no_name_that_a_killed_process_could_leave_behind(
    temporary_folder: Path,
) -> None:
    waiting = WaitingRows(Memory(FULL))
    waiting.add(calls((1, 0)))
    assert list(temporary_folder.iterdir()) == []
    waiting.close()


@on_linux
def test_many_days_wait_in_few_files(temporary_folder: Path) -> None:
    memory = Memory(FULL)
    days = [WaitingRows(memory) for _ in range(40)]
    for again in range(2):
        for number, day in enumerate(days):
            day.add(calls((number, again), (100 + number, again)))
    assert open_files(temporary_folder) == 9
    for number, day in enumerate(days):
        assert numbers(leaving(day)) == [number, 100 + number]
        day.close()
    assert open_files(temporary_folder) == 0


def test_rows_of_all_days_share_the_memory() -> None:
    memory = Memory(room=3)
    first, second = WaitingRows(memory), WaitingRows(memory)
    first.add(calls((1, 0), (2, 0)))
    second.add(calls((3, 0)))
    assert memory.room == 0
    first.close()
    assert memory.room == 2


def test_closing_leaves_nothing_and_may_be_repeated(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 0)))
    waiting.close()
    waiting.close()
    assert list(waiting.in_order()) == []


def test_rows_may_be_added_anew_after_closing(waiting: WaitingRows) -> None:
    waiting.add(calls((1, 0)))
    waiting.close()
    waiting.add(calls((2, 0)))
    assert numbers(leaving(waiting)) == [2]


FULL_DISK = """
import resource
from callkit.waiting import Memory, WaitingRows
from tests.support.forked import can_fork, despite_threads, ends_well_in_a_child
from tests.support.waiting import calls

resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
waiting = WaitingRows(Memory(0))
try:
    for number in range(100):
        waiting.add(calls((number, 0)))
except OSError as error:
    print(error.strerror)
waiting.close()
"""


@on_linux
def test_a_full_disk_is_an_os_error_and_closing_none() -> None:
    assert output_of(FULL_DISK) == "File too large\n"


@can_fork
@despite_threads
def test_a_forked_process_that_ends_leaves_the_rows_to_its_parent(waiting: WaitingRows) -> None:
    waiting.add(calls(*((number, number) for number in range(5_000))))
    waiting.add(calls((5_000, 5_000)))
    assert ends_well_in_a_child(waiting.close)
    waiting.add(calls((5_001, 5_001)))
    leaves = waiting.in_order()
    first = next(leaves)
    assert ends_well_in_a_child(waiting.close)
    assert numbers(pa.concat_tables([first, *leaves])) == list(range(5_002))
