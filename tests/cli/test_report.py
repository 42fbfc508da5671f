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


def test_it_breaks_down_as_it_is_told_and_says_what_it_wrote(
    typed: Typed, calls: Path, tmp_path: Path
) -> None:
    asked = ("--by", "status", "--by", "hour", "--freq", "M", "--tz", "Europe/Berlin")
    code, out, errors = typed("report", calls, "-o", "report", *asked)
    assert (code, out) == (0, "")
    told = errors.removeprefix("written to report: ").rstrip("\n").split(", ")
    assert sorted(told) == sorted(path.name for path in (tmp_path / "report").iterdir())
    cost = callkit.read_parquet(tmp_path / "report" / "cost.parquet")
    assert cost.columns[:4].tolist() == ["period", "status", "hour", "price_unit"]


def test_an_unknown_key_is_told_in_one_sentence_and_leaves_no_folder(
    refused: Refused, calls: Path, tmp_path: Path
) -> None:
    assert "'planet'" in refused("report", calls, "-o", "report", "--by", "planet")
    assert not (tmp_path / "report").exists()
