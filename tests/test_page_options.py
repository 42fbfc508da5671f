"""The options `pages`, `started` and `date_column`: what they take, and what they are refused for.

Each is a hint or a choice of the way, so that none changes which calls are fetched.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit
from callkit.errors import CallListError, SidListError
from callkit.page_options import PageOptions
from tests.support.scripted import sid

if TYPE_CHECKING:
    from pathlib import Path

    from callkit import Client
    from callkit.sandbox import Sandbox
    from tests.support.scripted import ScriptedServer

MARCH = ("2025-03-01", "2025-04-01")
LISTED = pd.DataFrame({"sid": [sid(1)], "when": ["2025-03-01"]})
OPTIONS: list[dict[str, Any]] = [
    {"pages": True},
    {"pages": False},
    {"started": MARCH},
    {"date_column": "when"},
]


@pytest.mark.parametrize("options", [*OPTIONS, {"pages": False, "started": MARCH}], ids=str)
def test_no_option_changes_which_calls_are_fetched(
    sandbox: Sandbox, client: Client, options: dict[str, Any]
) -> None:
    sids = sandbox.sids(20)
    listed = pd.DataFrame({"sid": sids, "when": "2024-12-31"})
    df = callkit.to_frame(listed, client=client, **options)
    assert df["sid"].tolist() == sids


def test_an_export_takes_the_same_options(sandbox: Sandbox, client: Client, tmp_path: Path) -> None:
    listed = pd.DataFrame({"sid": sandbox.sids(3), "when": date(2025, 3, 1)})
    out = callkit.export(
        listed, tmp_path / "calls.parquet", client=client, pages=True, date_column="when"
    )
    assert out.calls == 3


def test_failures_of_a_list_take_them_again(sandbox: Sandbox, client: Client) -> None:
    unknown = sandbox.unknown_sids(1)
    got = callkit.collect(sandbox.sids(2) + unknown, client=client)
    again = callkit.collect(got.failures, client=client, pages=True, started=MARCH)
    assert again.failures["sid"].tolist() == unknown


@pytest.mark.parametrize("pages", ["x", "always", 1, None, [True]])
def test_pages_is_auto_true_or_false(pages: Any) -> None:
    with pytest.raises(ValueError, match="Invalid pages .*: expected 'auto', True or False"):
        callkit.collect([], pages=pages)


def test_a_pair_of_dates_is_a_range_in_utc() -> None:
    options = PageOptions("auto", MARCH, None)
    expected = (datetime(2025, 3, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC))
    assert options.range == expected


@pytest.mark.parametrize(
    "started", ["today", "-3d", "2025-03-01", ["2025-03-01"], ("-3d", "today"), 5]
)
def test_only_a_pair_says_when_calls_of_a_list_started(started: Any) -> None:
    with pytest.raises(
        CallListError, match=r"Invalid started .*: expected a pair of dates .*'2025-04-01'\)$"
    ):
        callkit.collect([], started=started)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(CallListError, match="the second must be later than the first"):
        callkit.collect([], started=MARCH[::-1])


def test_one_hint_is_enough() -> None:
    with pytest.raises(ValueError, match="Pass either started or date_column: one is enough"):
        callkit.collect(LISTED, started=MARCH, date_column="when")


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_date_range_takes_none_of_them(options: dict[str, Any]) -> None:
    [name] = options
    with pytest.raises(CallListError, match=f"Cannot combine a date range with {name}, which is"):
        callkit.collect(callkit.CallList(started=MARCH), **options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_nor_do_the_failures_of_a_date_range(options: dict[str, Any]) -> None:
    failures = pd.DataFrame({"sid": [None], "account_sid": "AC" + "1" * 32, "day": "2025-03-01"})
    failures.attrs["callkit"] = {"call_list": {"started": list(MARCH)}}
    with pytest.raises(CallListError, match="Cannot combine a date range with"):
        callkit.collect(failures, **options)


def test_a_generator_has_no_length_that_pages_could_go_by() -> None:
    with pytest.raises(ValueError, match=r"pages=True needs .*: pass list\(…\) instead of a gen"):
        callkit.collect(iter([sid(1)]), pages=True)


@pytest.mark.parametrize("pages", ["auto", False])
def test_a_generator_needs_none_otherwise(sandbox: Sandbox, client: Client, pages: Any) -> None:
    sids = sandbox.sids(3)
    df = callkit.to_frame(iter(sids), client=client, pages=pages, started=MARCH)
    assert df["sid"].tolist() == sids


def test_a_wrong_date_is_refused_before_the_first_request(
    server: ScriptedServer, scripted_client: Client
) -> None:
    listed = LISTED.assign(when="first of March")
    with pytest.raises(SidListError, match="Row 1 has text that is not a date"):
        callkit.to_frame(listed, client=scripted_client, pages=False, date_column="when")
    assert server.paths == []


def test_invalid_options_are_refused_before_a_file_is_looked_at(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Invalid pages 'x'"):
        callkit.export(tmp_path / "missing.txt", tmp_path, pages="x")  # type: ignore[arg-type]
