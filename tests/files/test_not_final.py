from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.files.datasets import not_final_calls
from tests.files.updating import (
    MIDDLE,
    NOW,
    A,
    B,
    call,
    day,
    file_of,
    footer,
    not_final,
    refreshed,
    update,
    write,
)
from tests.support.scripted import sid

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def test_each_file_names_its_calls_that_were_not_final(target: Path) -> None:
    write(target, call(1, day(1)), call(2, day(5), price=None), call(3, None))
    assert (not_final(target, "2025-03"), not_final(target, "none")) == ([2], [3])


def test_a_merged_file_names_those_of_both_that_are_not_final(target: Path) -> None:
    old = [(1, day(5)), (2, day(6)), (3, day(7)), (4, day(11)), (5, day(12))]
    write(target, *(call(number, start, price=None) for number, start in old))
    update(
        target,
        call(4, day(11)),
        call(6, day(12), price=None),
        again=refreshed(call(2, day(6)), call(3, day(7), price=None), not_final=[3]),
    )
    assert not_final(target, "2025-03") == [1, 3, 6]


def test_calls_not_final_outside_of_the_range_are_to_be_fetched_again(target: Path) -> None:
    write(
        target,
        call(1, day(5), price=None),
        call(2, day(11), price=None),
        call(3, day(11), account=B, price=None),
        call(4, day(20), price=None),
        call(5, day(21)),
        call(6, day(11, month=4), price=None),
        call(7, None),
    )
    keys = not_final_calls(target, MIDDLE)
    assert keys == [(sid(1), A), (sid(3), B), (sid(4), A), (sid(6), A), (sid(7), A)]


def test_a_file_that_names_none_is_judged_by_its_earliest_as_of_time(target: Path) -> None:
    frame = callkit.normalise([call(1, day(1), price=None), call(2, day(8), price=None)])
    frame.attrs["callkit"] = {"as_of_first": day(5, month=4).isoformat()}
    callkit.to_parquet(frame, target, by_month=True)
    assert not_final_calls(target, MIDDLE) == [(sid(2), A)]


def test_without_an_as_of_time_only_ended_and_priced_calls_are_final(target: Path) -> None:
    frame = callkit.normalise([call(1, day(1), price=None), call(2, day(8)), call(3, None)])
    callkit.to_parquet(frame, target, by_month=True)
    assert not_final_calls(target, MIDDLE) == [(sid(1), A), (sid(3), A)]


def test_a_footer_that_is_no_list_of_sids_is_told_in_one_sentence(target: Path) -> None:
    write(target, call(1, day(1)))
    table = pq.ParquetFile(file_of(target, "2025-03")).read()
    metadata = {"callkit": "{}", "callkit.not_final": "{}"}
    pq.write_table(table.replace_schema_metadata(metadata), file_of(target, "2025-03"))
    with pytest.raises(ParquetError, match="is damaged: its metadata 'callkit.not_final' is not"):
        not_final_calls(target, MIDDLE)


def range_of(first: int, last: int) -> list[str]:
    return [day(first).isoformat(), day(last).isoformat()]


def test_as_of_times_of_a_merged_file_are_the_outermost(target: Path) -> None:
    write(target, call(1, day(1)), now=day(4, month=4))
    update(target, call(2, day(11)), as_of_first=day(6, month=4).isoformat())
    said = footer(target, "2025-03")
    assert (said["as_of_first"], said["as_of_last"]) == (
        day(4, month=4).isoformat(),
        day(4, month=4).isoformat(),
    )


def test_a_file_of_unknown_age_makes_the_merged_one_so(target: Path) -> None:
    callkit.to_parquet(callkit.normalise([call(1, day(1))]), target, by_month=True)
    update(target, call(2, day(11)))
    assert "as_of_first" not in footer(target, "2025-03")


def test_refreshed_calls_move_the_as_of_time_of_their_month_but_not_its_range(
    target: Path,
) -> None:
    first = day(25, month=2)
    write(target, call(1, first, price=None), now=first, started=range_of(1, 5))
    update(target, again=refreshed(call(1, first)), started=range_of(3, 20))
    said = footer(target, "2025-02")
    assert (said["as_of_first"], said["as_of_last"]) == (first.isoformat(), NOW.isoformat())
    assert said["started"] == range_of(1, 5)


@pytest.mark.parametrize(
    ("old", "united"),
    [((5, 12), (5, 20)), ((1, 10), (1, 20)), ((1, 25), (1, 25)), ((1, 9), (10, 20))],
    ids=["overlapping", "touching", "wider", "apart"],
)
def test_the_range_of_a_merged_file_grows_if_it_has_no_gap(
    target: Path, old: tuple[int, int], united: tuple[int, int]
) -> None:
    write(target, call(1, day(1)), started=range_of(*old), accounts=[A])
    update(target, call(2, day(11)), started=range_of(10, 20), accounts=[A])
    assert footer(target, "2025-03")["started"] == range_of(*united)


def test_the_range_of_other_accounts_is_not_that_of_these(target: Path) -> None:
    write(target, call(1, day(1)), started=range_of(5, 12), accounts=[A, B])
    update(target, call(2, day(11)), started=range_of(10, 20), accounts=[A])
    assert footer(target, "2025-03")["started"] == range_of(10, 20)


def test_a_merged_file_has_no_counts_of_one_run(target: Path) -> None:
    write(target, call(1, day(1)))
    update(target, call(2, day(11)))
    assert "calls_got" not in footer(target, "2025-03")


def test_what_else_the_new_export_says_is_said_of_a_merged_file(target: Path) -> None:
    write(target, call(1, day(1)), tz="UTC")
    update(target, call(2, day(11)), tz="Europe/Berlin")
    assert footer(target, "2025-03")["tz"] == "Europe/Berlin"


@pytest.mark.parametrize(
    ("ranges", "united"),
    [
        ([(1, 5), (4, 9), (9, 12)], range_of(1, 12)),
        ([(1, 9), (2, 3), (8, 12)], range_of(1, 12)),
        ([(1, 5), (6, 12), (8, 12)], None),
    ],
)
def test_a_dataset_that_is_read_has_the_range_of_all_its_files(
    target: Path, ranges: Sequence[tuple[int, int]], united: list[str] | None
) -> None:
    target.mkdir()
    for number, each in enumerate(ranges):
        frame = callkit.normalise([call(number, day(1))])
        frame.attrs["callkit"] = {"started": range_of(*each), "accounts": [A], "tz": "UTC"}
        callkit.to_parquet(frame, target / f"{number}.parquet")
    said = callkit.read_parquet(target).attrs["callkit"]
    assert (said.get("started"), said["accounts"], said["tz"]) == (united, [A], "UTC")


@pytest.mark.parametrize("theirs", ["March", ["March", "April"], [1, 2], [range_of(1, 2)[0]], None])
def test_a_range_that_is_somebody_elses_is_left_out(target: Path, theirs: object) -> None:
    target.mkdir()
    for number in range(2):
        frame = callkit.normalise([call(number, day(1))])
        frame.attrs["callkit"] = {"started": theirs}
        callkit.to_parquet(frame, target / f"{number}.parquet")
    assert "started" not in callkit.read_parquet(target).attrs["callkit"]
