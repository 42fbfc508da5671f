from __future__ import annotations

import errno
import os
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import callkit
from callkit.errors import ParquetError
from callkit.files.datasets import Listed, not_final_calls, write_months
from callkit.files.formats import month_files
from callkit.files.replacing import complete, replacing
from callkit.pseudonyms import Pseudonyms
from tests.files.updating import (
    MIDDLE,
    NOTHING,
    A,
    B,
    call,
    contents,
    day,
    file_of,
    held,
    in_month,
    prices,
    refreshed,
    table_of,
    update,
    write,
)


def test_listed_calls_replace_those_of_the_range(target: Path) -> None:
    write(target, call(1, day(1)), call(2, day(10)), call(3, day(19)), call(4, day(20)))
    update(target, call(5, day(11)), call(6, day(12)))
    assert held(target) == [1, 5, 6, 4]


def test_calls_of_accounts_that_were_not_listed_stay(target: Path) -> None:
    write(target, call(1, day(11)), call(2, day(11), account=B))
    update(target, call(3, day(12)))
    assert held(target) == [3, 2]


def test_calls_without_an_account_stay(target: Path) -> None:
    write(target, call(1, day(11), account=""))
    update(target, call(2, day(12)))
    assert held(target) == [2, 1]


def test_accounts_are_in_the_order_given_and_others_follow(target: Path) -> None:
    other = "AC" + "0" * 32
    write(target, call(1, day(1)), call(2, day(1), account=other), call(3, day(1), account=B))
    new = [call(4, day(11), account=B), call(5, day(11))]
    update(target, *new, listed=Listed(day(10), day(20), [B, A]))
    assert held(target) == [3, 4, 1, 5, 2]


def test_calls_around_the_range_keep_the_order_of_a_sid_list(target: Path) -> None:
    write(target, call(1, day(25)), call(2, day(5)), call(3, day(21)), call(4, day(1)))
    update(target, call(5, day(11)), call(6, day(12)))
    assert held(target) == [2, 4, 5, 6, 1, 3]


def test_a_month_that_was_not_listed_stays_byte_for_byte(target: Path) -> None:
    write(target, call(1, day(1, month=2)), call(2, day(11)), call(3, day(11, month=4)))
    before = contents(target)
    update(target, call(4, day(12)), call(5, day(12, month=4)))
    changed = {path for path, data in contents(target).items() if data != before[path]}
    assert changed == {file_of(target, "2025-03")}


def test_a_month_that_is_new_gets_its_file(target: Path) -> None:
    write(target, call(1, day(1, month=2)))
    update(target, call(2, day(12)))
    assert in_month(target, "2025-03") == [2]


def test_a_month_whose_calls_are_listed_no_more_is_empty(target: Path) -> None:
    write(target, call(1, day(11)))
    update(target)
    assert in_month(target, "2025-03") == []


def test_a_month_without_calls_before_or_after_gets_no_file(target: Path) -> None:
    write(target)
    update(target)
    assert not file_of(target, "2025-03").parent.exists()


def test_a_call_whose_new_body_was_broken_stays_in_its_place(target: Path) -> None:
    write(target, call(2, day(12)), call(4, day(13)), call(6, day(19)))
    update(target, call(1, day(11)), call(3, day(12)), call(5, day(14)), keep=[2, 6])
    assert held(target) == [1, 2, 3, 5, 6]


def test_a_call_to_keep_that_was_listed_too_is_the_new_one(target: Path) -> None:
    write(target, call(1, day(12), price="-1"))
    update(target, call(1, day(12), price="-2"), keep=[1])
    assert prices(target) == {1: -2}


def test_a_refreshed_call_replaces_the_old_one_at_its_place(target: Path) -> None:
    write(target, call(1, day(2)), call(2, day(1), price=None), call(3, day(21)))
    update(target, call(4, day(11)), again=refreshed(call(2, day(1), price="-7")))
    assert list(prices(target).items()) == [(1, -1), (2, -7), (4, -1), (3, -1)]


def test_refreshed_calls_change_months_that_were_not_listed(target: Path) -> None:
    write(target, call(1, day(1, month=2)), call(2, day(2, month=2), price=None))
    update(target, again=refreshed(call(2, day(2, month=2), price="-7")))
    assert prices(target) == {1: -1, 2: -7}


def test_a_month_whose_refreshed_calls_are_as_they_were_is_not_written_again(target: Path) -> None:
    write(target, call(1, day(28, month=2), price=None))
    before = file_of(target, "2025-02").stat().st_ino
    update(target, again=refreshed(call(1, day(28, month=2), price=None), not_final=[1]))
    assert file_of(target, "2025-02").stat().st_ino == before


def test_a_call_that_became_final_without_a_price_is_not_fetched_for_ever(target: Path) -> None:
    write(target, call(1, day(28, month=2), price=None), now=day(1))
    update(target, again=refreshed(call(1, day(28, month=2), price=None)))
    assert not_final_calls(target, MIDDLE) == []


def test_a_call_that_started_meanwhile_moves_to_its_month(target: Path) -> None:
    write(target, call(1, None), call(2, day(1)), call(3, day(3)))
    update(target, call(4, day(11)), again=refreshed(call(1, day(2))))
    assert held(target) == [2, 1, 3, 4]


def test_a_call_that_started_in_a_month_that_was_not_listed_moves_there(target: Path) -> None:
    write(target, call(1, None), call(2, day(1, month=2)))
    update(target, again=refreshed(call(1, day(2, month=2))))
    assert in_month(target, "2025-02") == [2, 1]


def test_a_call_that_had_not_started_and_was_listed_counts_once(target: Path) -> None:
    write(target, call(1, None))
    update(target, call(1, day(11)))
    assert held(target) == [1]


def test_a_call_left_in_two_months_by_a_kill_counts_once_again(target: Path) -> None:
    write(target, call(1, None), call(2, day(1)))
    once = write(target.with_name("once"), call(2, day(1)), call(1, day(2)))
    file_of(once, "2025-03").replace(file_of(target, "2025-03"))
    update(target, again=refreshed(call(1, day(2))))
    assert held(target) == [2, 1]


def test_unlisted_categories_of_both_are_kept(target: Path) -> None:
    write(target, call(1, day(1), status="frozen"))
    update(target, call(2, day(11), status="thawed"))
    assert callkit.read_parquet(target)["status"].tolist() == ["frozen", "thawed"]


def test_many_calls_are_merged_in_order(target: Path) -> None:
    def minutes(first: int, last: int, step: int) -> list[bytes]:
        return [call(each, day(1) + timedelta(minutes=each)) for each in range(first, last, step)]

    write(target, *minutes(0, 36_000, 2))
    listed = Listed(day(1) + timedelta(minutes=10_000), day(1) + timedelta(minutes=12_000), [A])
    update(target, *minutes(10_000, 12_000, 1), listed=listed)
    expected = [*range(0, 10_000, 2), *range(10_000, 12_000), *range(12_000, 36_000, 2)]
    assert held(target) == expected


def test_a_merged_file_has_few_row_groups(target: Path) -> None:
    write(target, *(call(each, day(1)) for each in range(1_000)))
    update(target, *(call(each, day(11)) for each in range(1_000, 2_000)))
    assert pq.read_metadata(file_of(target, "2025-03")).num_row_groups == 1


def test_months_of_a_frame_with_categories_of_its_own_can_be_updated(target: Path) -> None:
    frame = callkit.normalise([call(1, day(1)), call(2, day(1, month=2))])
    frame["status"] = frame["status"].cat.set_categories(["completed"])
    callkit.to_parquet(frame, target, by_month=True)
    update(target, call(3, day(11), status="busy"), again=refreshed(call(1, day(1), price="-5")))
    assert callkit.read_parquet(target)["status"].tolist() == ["completed", "completed", "busy"]


def test_columns_in_another_order_can_be_updated(target: Path) -> None:
    frame = callkit.normalise([call(1, day(1))])
    callkit.to_parquet(frame[frame.columns[::-1]], target, by_month=True)
    update(target, call(2, day(11)))
    assert held(target) == [1, 2]


def test_a_pseudonymised_dataset_is_not_updated_with_real_numbers(target: Path) -> None:
    frame = callkit.normalise([call(1, day(1))])
    names = Pseudonyms("only this test's key")
    callkit.to_parquet(frame, target, by_month=True, pseudonyms=names)
    before = contents(target)
    with pytest.raises(
        ParquetError,
        match="Cannot update .*calls', since its columns differ: only this export has "
        r"'caller_name' \(string\), .*\. Export with the same pseudonyms=… as before, or to",
    ):
        update(target, call(2, day(11)))
    assert contents(target) == before


def test_a_dataset_with_a_column_of_ones_own_is_not_updated(target: Path) -> None:
    callkit.to_parquet(callkit.normalise([call(1, day(1))]).assign(note=1), target, by_month=True)
    with pytest.raises(ParquetError, match=r"only the dataset has 'note' \(int64\)\. Export"):
        update(target, call(2, day(11)))


def test_a_pseudonymised_dataset_is_updated_with_pseudonyms(target: Path) -> None:
    names = Pseudonyms("only this test's key")
    frame = callkit.normalise([call(1, day(1), to="+14155550100")])
    callkit.to_parquet(frame, target, by_month=True, pseudonyms=names)
    new = target.with_name("new")
    table = names.of_table(table_of(call(2, day(11), to="+14155550100")))
    new.mkdir()
    with month_files(new, table.schema, dict) as write_table:
        write_table(table)
    with replacing(target, folder=True) as replacement:
        write_months(
            *(replacement.months(), target, new, MIDDLE),
            listed_months={"2025-03"},
            refreshed=NOTHING,
        )
    assert callkit.read_parquet(target)["to"].nunique() == 1


def test_a_folder_with_files_of_others_is_left_alone(target: Path) -> None:
    write(target, call(1, day(1)))
    (target / "notes.txt").write_text("mine")
    before = contents(target)
    with pytest.raises(ParquetError, match=r"Refusing to replace .*contains 'notes\.txt'"):
        update(target, call(2, day(11)))
    assert contents(target) == before


def test_a_damaged_month_stops_the_update_before_any_is_replaced(target: Path) -> None:
    write(target, *(call(each, day(1 + each % 2, month=3 + each % 2)) for each in range(100)))
    april = file_of(target, "2025-04")
    damaged = bytearray(april.read_bytes())
    damaged[100:400] = bytes(300)
    april.write_bytes(damaged)
    before = contents(target)
    with pytest.raises(ParquetError, match=r"month=2025-04/part-0\.parquet' cannot be read: "):
        update(target, call(200, day(11)), months=["2025-03", "2025-04"])
    assert contents(target) == before


def test_nothing_is_left_beside_the_dataset(target: Path) -> None:
    write(target, call(1, day(1)))
    update(target, call(2, day(11)))
    assert sorted(path.name for path in target.parent.iterdir()) == ["calls", "new"]


def test_a_month_keeps_its_mode(target: Path) -> None:
    write(target, call(1, day(1)))
    file_of(target, "2025-03").chmod(0o640)
    update(target, call(2, day(11)))
    assert file_of(target, "2025-03").stat().st_mode & 0o777 == 0o640


def test_what_is_written_meanwhile_is_its_owners_alone(target: Path) -> None:
    write(target, call(1, day(1)))
    with replacing(target, folder=True) as replacement:
        assert replacement.months().stat().st_mode & 0o777 == 0o700


def test_a_file_that_another_program_has_open_on_windows_is_told_in_one_sentence(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path, __: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    write(target, call(1, day(1)))
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(
        ParquetError,
        match=r"calls' cannot be replaced \(another program may have it open\); the next export "
        r"to it completes this: Permission",
    ):
        update(target, call(2, day(11)))
    monkeypatch.undo()
    complete(target)
    assert held(target) == [1, 2]
