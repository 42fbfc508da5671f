"""What files of a dataset say that they hold: of which accounts, which range, as of when."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

import callkit
from callkit.files.footers import brought_up_to_date
from tests.files.updating import NOW, A, B, call, day, footer, refreshed, update, write

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

C = "AC" + "c" * 32


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


def test_accounts_in_another_order_are_the_same_accounts(target: Path) -> None:
    write(target, call(1, day(1)), started=range_of(5, 12), accounts=[A, B])
    update(target, call(2, day(11)), started=range_of(10, 20), accounts=[B, A])
    assert footer(target, "2025-03")["started"] == range_of(5, 20)


def test_an_update_of_fewer_accounts_leaves_what_is_said_of_all(target: Path) -> None:
    """All accounts are listed every night, but for one night."""
    all_accounts: dict[str, Any] = {
        "started": range_of(5, 12),
        "accounts": [A, B],
        "accounts_closed": [B],
    }
    write(target, call(1, day(1)), **all_accounts)
    one_account: dict[str, Any] = {
        "started": range_of(10, 20),
        "accounts": [A],
        "accounts_closed": [],
    }
    update(target, call(2, day(11)), **one_account)
    assert footer(target, "2025-03").items() >= all_accounts.items()


def test_an_update_of_more_accounts_says_what_it_listed(target: Path) -> None:
    write(target, call(1, day(1)), started=range_of(5, 12), accounts=[A])
    more: dict[str, Any] = {"started": range_of(10, 20), "accounts": [A, B], "accounts_closed": [B]}
    update(target, call(2, day(11)), **more)
    assert footer(target, "2025-03").items() >= more.items()


def test_an_update_of_a_dataset_of_unknown_accounts_says_what_it_listed(target: Path) -> None:
    write(target, call(1, day(1)))
    listed: dict[str, Any] = {"started": range_of(10, 20), "accounts": [A]}
    update(target, call(2, day(11)), **listed)
    assert footer(target, "2025-03").items() >= listed.items()


def test_an_update_of_other_accounts_leaves_all_accounts_and_no_range(target: Path) -> None:
    write(target, call(1, day(1)), started=range_of(5, 12), accounts=[C, A], accounts_closed=[C])
    new: dict[str, Any] = {"started": range_of(5, 12), "accounts": [A, B], "accounts_closed": [B]}
    update(target, call(2, day(11)), **new)
    said = footer(target, "2025-03")
    assert (said["accounts"], said["accounts_closed"]) == ([A, B, C], [B, C])
    assert "started" not in said


def test_accounts_that_are_somebody_elses_are_left_out(target: Path) -> None:
    write(target, call(1, day(1)), accounts={"mine": [1]})
    update(target, call(2, day(11)), accounts=[A])
    assert footer(target, "2025-03")["accounts"] == [A]


def test_a_merged_file_has_no_counts_of_one_run(target: Path) -> None:
    write(target, call(1, day(1)))
    update(target, call(2, day(11)))
    assert "calls_got" not in footer(target, "2025-03")


def test_what_else_the_new_export_says_is_said_of_a_merged_file(target: Path) -> None:
    write(target, call(1, day(1)), tz="UTC", filters=[])
    update(target, call(2, day(11)), tz="UTC", filters=[], more="new")
    said = footer(target, "2025-03")
    assert (said["tz"], said["filters"], said["more"]) == ("UTC", [], "new")


def test_ranges_in_different_zones_leave_no_zone(target: Path) -> None:
    write(target, call(1, day(1)), tz="UTC")
    update(target, call(2, day(11)), tz="Europe/Berlin")
    assert "tz" not in footer(target, "2025-03")


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


def test_files_of_different_accounts_have_no_range_together(target: Path) -> None:
    target.mkdir()
    for number, accounts in enumerate([[A], [A, B]]):
        frame = callkit.normalise([call(number, day(1))])
        frame.attrs["callkit"] = {"started": range_of(1, 5), "accounts": accounts}
        callkit.to_parquet(frame, target / f"{number}.parquet")
    assert not {"started", "accounts"} & set(callkit.read_parquet(target).attrs["callkit"])


LATER: dict[str, Any] = {
    "started": range_of(10, 20),
    "accounts": [A, B],
    "accounts_closed": [B],
    "tz": "Europe/Berlin",
    "filters": [],
}


def test_what_was_listed_before_a_file_without_rows_was_left_behind_does_not_count(
    target: Path,
) -> None:
    """The file of calls that never started is that of the first export, for ever."""
    earlier: dict[str, Any] = {
        "accounts": [A],
        "accounts_closed": [],
        "tz": "UTC",
        "filters": ["To"],
    }
    write(target, started=range_of(1, 3), **earlier)
    update(target, call(1, day(11)), **LATER)
    assert callkit.read_parquet(target).attrs["callkit"].items() >= LATER.items()


def test_a_dataset_without_calls_says_what_was_listed(target: Path) -> None:
    write(target, **LATER)
    shutil.copytree(target / "month=none", target / "month=2025-03")
    assert callkit.read_parquet(target).attrs["callkit"].items() >= LATER.items()


def test_a_listing_of_which_days_failed_claims_no_range() -> None:
    old = {"accounts": [A], "started": [day(1).isoformat(), day(5).isoformat()]}
    new = {"accounts": [A], "started": [day(4).isoformat(), day(8).isoformat()], "days_failed": 1}
    assert brought_up_to_date(new, old)["started"] == old["started"]
    assert "started" not in brought_up_to_date(new, new)
