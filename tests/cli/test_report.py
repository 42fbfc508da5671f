from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.schema import ATTRIBUTES

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
    told = errors.removeprefix("Wrote ").removesuffix(" to report\n").split(", ")
    assert sorted(told) == sorted(path.name for path in (tmp_path / "report").iterdir())
    cost = callkit.read_parquet(tmp_path / "report" / "cost.parquet")
    assert cost.columns[:4].tolist() == ["period", "status", "hour", "price_unit"]


def test_an_unknown_key_is_told_in_one_sentence_and_leaves_no_folder(
    refused: Refused, calls: Path, tmp_path: Path
) -> None:
    assert "'planet'" in refused("report", calls, "-o", "report", "--by", "planet")
    assert not (tmp_path / "report").exists()


@pytest.mark.parametrize(
    ("given", "out"),
    [
        ("cost.parquet", "."),
        ("status.png", "."),
        ("link.parquet", "."),
        ("months", "months"),
        ("months", "months/report"),
    ],
)
def test_the_calls_are_not_written_over(
    refused: Refused, calls: Path, tmp_path: Path, given: str, out: str
) -> None:
    callkit.to_parquet(callkit.read_parquet(calls), tmp_path / "months", by_month=True)
    for name in ("cost.parquet", "status.png"):
        (tmp_path / name).write_bytes(calls.read_bytes())
    (tmp_path / "link.parquet").symlink_to("cost.parquet")
    before = sorted(tmp_path.rglob("*"))
    assert f"'{given}'. Choose another folder" in refused("report", given, "-o", out)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "cost.parquet").read_bytes() == calls.read_bytes()


def test_a_dataset_is_not_spoilt_by_a_report_about_a_part_of_it(
    refused: Refused, calls: Path, tmp_path: Path
) -> None:
    callkit.to_parquet(callkit.read_parquet(calls), tmp_path / "months", by_month=True)
    part = next((tmp_path / "months").rglob("*.parquet"))
    assert "is a dataset by month" in refused("report", part, "-o", "months")
    assert len(callkit.read_parquet(tmp_path / "months")) == 50


def test_a_report_may_stand_beside_the_calls(typed: Typed, calls: Path) -> None:
    assert typed("report", calls, "-o", ".", "-q") == (0, "", "")
    assert len(callkit.read_parquet(calls)) == 50


def test_the_help_names_every_key_that_names_people(typed: Typed, calls: Path) -> None:
    _, said, _ = typed("report", "--help")
    fields = callkit.read_parquet(calls).columns
    personal = {column.name for column in ATTRIBUTES if column.personal}
    assert personal <= set(fields)
    told = " ".join(said.split()).partition("you pass --by ")[2].partition(".")[0]
    assert set(re.findall(r"\w+", told)) - {"or"} == personal | {"our_number", "other_party"}
