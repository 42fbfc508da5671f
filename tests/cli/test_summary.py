from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import callkit

if TYPE_CHECKING:
    from pathlib import Path

    from callkit.sandbox import Sandbox
    from tests.cli.conftest import Refused, Typed


@pytest.fixture
def calls(tmp_path: Path, sandbox: Sandbox) -> Path:
    with sandbox.client() as client:
        callkit.export(sandbox.sids(50), tmp_path / "calls.parquet", client=client)
    return tmp_path / "calls.parquet"


def test_the_page_goes_to_standard_output(typed: Typed, calls: Path) -> None:
    page = callkit.summary(callkit.read_parquet(calls))
    assert typed("summary", calls) == (0, f"{page}\n", "")


def test_zone_and_periods_may_be_others(typed: Typed, calls: Path) -> None:
    page = callkit.summary(callkit.read_parquet(calls), freq="M", tz="Asia/Kolkata")
    assert typed("summary", calls, "--freq", "M", "--tz", "Asia/Kolkata") == (0, f"{page}\n", "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["none.parquet"], "cannot be read: No such file or directory"),
        (["calls.parquet", "--tz", "Mars"], "Mars"),
        (["calls.parquet", "--freq", "fortnight"], "fortnight"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_sentence(
    refused: Refused, calls: Path, arguments: list[str], expected: str
) -> None:
    assert expected in refused("summary", *arguments)
