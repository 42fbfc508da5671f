from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from pandas.testing import assert_frame_equal

import callkit

if TYPE_CHECKING:
    import pandas as pd

    from callkit.sandbox import Sandbox

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
LOADING = {"src", "srcset", "data", "poster", "action", "background"}


class Report(NamedTuple):
    """What ``make report`` left in a folder, and the calls that it was to report on."""

    calls: pd.DataFrame
    folder: Path
    said: subprocess.CompletedProcess[str]

    def page(self, name: str) -> str:
        return (self.folder / f"{name}.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("report of march")
    with sandbox.client() as client:
        calls = callkit.to_frame(sandbox.sid_frame(100), client=client)
    callkit.to_parquet(calls, folder / "calls.parquet")
    said = subprocess.run(
        [
            *("make", "--old-file=.venv/.notebooks", "report"),
            f"BIN={Path(sys.executable).parent}",
            f"CALLS={folder / 'calls.parquet'}",
            f"OUT={folder / 'out'}",
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=False,
    )
    return Report(calls, folder / "out", said)


@pytest.fixture(params=["02_cost", "03_duration"])
def page(report: Report, request: pytest.FixtureRequest) -> str:
    return report.page(request.param)


def test_it_works_without_complaint(report: Report) -> None:
    assert report.said.returncode == 0, report.said.stderr
    assert report.said.stderr == ""


def test_pages_load_nothing_from_elsewhere(page: str) -> None:
    seen = _Elements()
    seen.feed(page)
    assert seen.tags.isdisjoint({"script", "link", "iframe", "object", "embed", "base"})
    assert seen.loaded
    assert [place[:40] for place in seen.loaded if not place.startswith("data:")] == []
    assert set(re.findall(r"url\(\s*['\"]?(.{5})", page)) == {"data:"}
    assert "@import" not in page


class _Elements(HTMLParser):
    """Collects a page's tags, and what they have a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loaded += [place for name, place in attrs if name in LOADING and place]


def test_the_code_is_left_out(page: str) -> None:
    assert "import callkit" not in page
    assert "jp-InputArea-editor" not in page.partition("<body")[2]


def test_the_cost_is_that_of_each_currency(report: Report) -> None:
    total = callkit.cost_breakdown(report.calls)
    assert total["price_unit"].tolist() == ["EUR", "USD"]
    for measure in ("charges", "cost"):
        cells = "".join(rf"\s*<td>{amount:,.4f}</td>" for amount in total[measure])
        assert re.search(f"<th>{measure}</th>{cells}", report.page("02_cost"))


def test_the_minutes_are_those_of_all_answered_calls(report: Report) -> None:
    (total,) = callkit.duration_breakdown(report.calls)["total_duration"]
    minutes, seconds = divmod(int(total.total_seconds()), 60)
    together = f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
    assert f"<td>{together}</td>" in report.page("03_duration")


def test_the_tables_lie_beside_the_pages(report: Report) -> None:
    written = callkit.read_parquet(report.folder / "cost.parquet")
    assert_frame_equal(written, callkit.cost_breakdown(report.calls))
    assert written.attrs["callkit"]["calls_got"] == len(report.calls)
