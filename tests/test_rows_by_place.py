"""The rows of a SID list: in memory or in a file, they leave by their places in the list."""

from __future__ import annotations

import random
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callkit.rows_by_place import RowsByPlace
from callkit.schema import SCHEMA
from tests.support.waiting import calls, numbers, on_linux, open_files, output_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FULL = 0  # room in memory: all rows go to a file


@pytest.fixture(params=[10**9, 5, FULL], ids=["in memory", "in both", "in a file"])
def listed(request: pytest.FixtureRequest) -> Iterator[RowsByPlace]:
    listed = RowsByPlace(request.param)
    yield listed
    listed.close()


def add(listed: RowsByPlace, *places: int, **attributes: Any) -> None:
    """Add the calls that are at `places`, whose numbers are the same."""
    listed.add(calls(*((place, 0) for place in places), **attributes), np.array(places, np.int64))


def taken(listed: RowsByPlace, first: int, last: int) -> pa.Table:
    tables = list(listed.take(first, last))
    return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def test_listed_rows_leave_in_order_of_place(listed: RowsByPlace) -> None:
    add(listed, 5, 0, 7)
    add(listed, 2, 6)
    add(listed, 1, 4, 3)
    assert numbers(taken(listed, 0, 8)) == list(range(8))


def test_the_first_place_of_a_range_leaves_and_the_last_stays(listed: RowsByPlace) -> None:
    add(listed, *range(8))
    assert numbers(taken(listed, 2, 5)) == [2, 3, 4]


def test_rows_that_have_left_are_gone(listed: RowsByPlace) -> None:
    add(listed, *range(8))
    taken(listed, 2, 5)
    assert numbers(taken(listed, 0, 8)) == [0, 1, 5, 6, 7]


def test_rows_may_be_added_after_others_have_left(listed: RowsByPlace) -> None:
    add(listed, 0, 9, 3, 1, 2, 7)
    taken(listed, 0, 4)
    add(listed, 8, 5)
    assert numbers(taken(listed, 4, 10)) == [5, 7, 8, 9]


def test_an_empty_range_gives_an_empty_table_of_the_schema(listed: RowsByPlace) -> None:
    assert taken(listed, 0, 8).equals(SCHEMA.empty_table())
    add(listed, *range(8))
    assert taken(listed, 8, 16).equals(SCHEMA.empty_table())


def test_an_empty_table_adds_nothing(listed: RowsByPlace) -> None:
    listed.add(SCHEMA.empty_table(), np.empty(0, np.int64))
    assert taken(listed, 0, 8).equals(SCHEMA.empty_table())


def test_listed_rows_leave_unchanged(listed: RowsByPlace) -> None:
    table = calls((0, 10), (1, 20), (2, 30))
    listed.add(table, np.array([0, 1, 2]))
    assert taken(listed, 0, 3).equals(table)


def test_values_that_no_vocabulary_lists_stay_whichever_tables_have_them(
    listed: RowsByPlace,
) -> None:
    add(listed, 0, 3, 5, status="paused")
    add(listed, 4, 1)
    add(listed, 2, status="held", answered_by="parrot")
    got = taken(listed, 0, 6)
    assert got["status"].to_pylist() == [
        "paused", "completed", "held", "paused", "completed", "paused",
    ]  # fmt: skip
    assert got["answered_by"].to_pylist()[2] == "parrot"


def test_a_vocabulary_lacks_the_values_of_rows_that_stay(listed: RowsByPlace) -> None:
    add(listed, 0, 1)
    add(listed, 8, 9, status="paused")
    assert taken(listed, 0, 2).equals(calls((0, 0), (1, 0)))


@given(st.permutations(range(40)), st.sets(st.integers(1, 39)), st.integers(0, 60), st.randoms())
@settings(max_examples=30)
def test_listed_rows_leave_the_same_however_they_arrive_and_wherever_they_wait(
    order: list[int], bounds: set[int], room: int, rng: random.Random
) -> None:
    ranges = list(pairwise(sorted({0, 40, *bounds})))
    rng.shuffle(ranges)
    listed = RowsByPlace(room)
    for first in range(0, 40, 7):
        add(listed, *order[first : first + 7])
    left = [numbers(taken(listed, first, last)) for first, last in ranges]
    listed.close()
    assert left == [list(range(first, last)) for first, last in ranges]


def test_thousands_of_listed_rows_leave_a_file_in_order() -> None:
    listed = RowsByPlace(3_000)
    places = random.Random(7).sample(range(10_000), 10_000)
    for first in range(0, 10_000, 1_000):
        add(listed, *places[first : first + 1_000])
    left = [numbers(taken(listed, first, first + 4_000)) for first in range(0, 10_000, 4_000)]
    listed.close()
    assert list(chain.from_iterable(left)) == list(range(10_000))


def large(*places: int) -> pa.Table:
    """Make calls of a megabyte each."""
    return calls(*((place, 0) for place in places), caller_name="x" * 1_000_000)


def test_large_rows_leave_a_few_at_a_time(listed: RowsByPlace) -> None:
    for start in range(0, 80, 8):
        places = range(start, start + 8)
        listed.add(large(*places), np.array(places))
    tables = list(listed.take(0, 80))
    assert max(table.nbytes for table in tables) < 40_000_000
    assert [number for table in tables for number in numbers(table)] == list(range(80))


@on_linux
def test_a_large_row_takes_the_room_of_several(temporary_folder: Path) -> None:
    listed = RowsByPlace(room=500)
    listed.add(large(0), np.array([0]))
    assert open_files(temporary_folder) == 0
    listed.add(large(1), np.array([1]))
    assert open_files(temporary_folder) == 1
    listed.close()


@on_linux
def test_rows_that_have_room_in_memory_need_no_file(temporary_folder: Path) -> None:
    listed = RowsByPlace(room=3)
    add(listed, 0, 1, 2)
    assert open_files(temporary_folder) == 0


@on_linux
def test_rows_that_have_left_make_room_in_memory(temporary_folder: Path) -> None:
    listed = RowsByPlace(room=3)
    add(listed, 0, 1, 2)
    taken(listed, 0, 2)
    add(listed, 3, 4)
    assert open_files(temporary_folder) == 0


@on_linux
def test_listed_rows_beyond_the_room_are_in_a_file_until_they_are_closed(
    temporary_folder: Path,
) -> None:
    listed = RowsByPlace(room=3)
    add(listed, 0, 1, 2, 3)
    assert open_files(temporary_folder) == 1
    listed.close()
    assert open_files(temporary_folder) == 0


def test_closing_listed_rows_leaves_nothing_and_may_be_repeated(listed: RowsByPlace) -> None:
    add(listed, *range(8))
    listed.close()
    listed.close()
    assert taken(listed, 0, 8).equals(SCHEMA.empty_table())


# What a process needs for it

PEAK = """
import numpy as np, pyarrow as pa
from callkit.rows_by_place import RowsByPlace
from tests.support.waiting import calls

page = calls(*((number, 0) for number in range(1_000)))
places = np.random.default_rng(5).permutation(300_000)
listed = RowsByPlace(room=8_000)
for start in range(0, 300_000, 1_000):
    listed.add(page.take(np.arange(1_000)), places[start : start + 1_000])
taken = sum(
    len(table)
    for first in range(0, 300_000, 8_000)
    for table in listed.take(first, first + 8_000)
)
print(taken, pa.default_memory_pool().max_memory() / (300 * page.nbytes))
"""


@pytest.mark.slow
def test_most_of_a_shuffled_list_is_not_in_memory() -> None:
    taken, share = output_of(PEAK).split()
    assert int(taken) == 300_000
    assert float(share) < 0.15


FULL_DISK = """
import resource
from callkit.rows_by_place import RowsByPlace
from tests.test_rows_by_place import add

resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))
listed = RowsByPlace(room=0)
for place in range(100):
    add(listed, place)
print(*map(len, listed.take(0, 100)))
listed.close()
"""


@on_linux
def test_on_a_full_disk_no_call_is_lost() -> None:
    assert output_of(FULL_DISK) == "100\n"
