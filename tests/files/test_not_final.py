from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.files.datasets import not_final_calls
from tests.files.updating import (
    MIDDLE,
    A,
    B,
    call,
    day,
    file_of,
    not_final,
    refreshed,
    update,
    write,
)
from tests.support.scripted import sid

if TYPE_CHECKING:
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
