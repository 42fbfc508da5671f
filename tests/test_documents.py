"""Every code block of the README and the documentation runs, and prints what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

import callkit
from callkit.sandbox.calls import body_of
from tests.bulk.records import record_of, write
from tests.documents import PAGES, ROOT, Block, blocks_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callkit.sandbox import Sandbox

RUNS = {"python", "sh"}
SHOWN = {"text", "console", "{eval-rst}", "{toctree}"}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make what the pages assume: credentials, SID lists and files of calls."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", sandbox.account_sid)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", sandbox.auth_token)
    monkeypatch.setenv("CALLKIT_BASE_URL", sandbox.url)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    sids = sandbox.sids(50)
    Path("sids.txt").write_text("\n".join(sids))
    rows = [f"{sid.upper()},a" for sid in sids * 2]  # as a spreadsheet has them
    Path("campaigns.csv").write_text("\n".join(["sid,campaign", *rows]))
    Path("semicolons.csv").write_text("\n".join(["sid;campaign", *(f"{sid};a" for sid in sids)]))
    with sandbox.client() as client:
        callkit.export(sandbox.sids(200), "calls.parquet", client=client)
        called = callkit.to_frame(sids, client=client)[["sid", "start_time"]]
    called.rename(columns={"start_time": "called_at"}).to_csv("crm.csv", index=False)
    Path("exports").mkdir()
    records = [record_of(body_of(sandbox.call(sid))) for sid in sandbox.sids(200)]
    write(Path("exports/2023-03-15.json.gz"), records)
    for number, (month, status) in enumerate({"march": "busy", "april": "frozen"}.items()):
        body = {"sid": f"CA{number:032x}", "status": status}
        callkit.to_parquet(callkit.normalise([body]), f"{month}.parquet")
    with mpl.rc_context({"backend": "agg"}):
        yield tmp_path
        plt.close("all")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_block_runs_and_prints_what_is_shown(page: Path, folder: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks_of(page):
        if block.language == "python" and "pyspark" not in block.text:
            printed = run_python(page, block, namespace)
        elif block.language == "sh":
            printed = run_shell(block, folder)
        elif block.language == "text" and printed:
            assert block.text.rstrip() == printed.rstrip(), f"{page.name}:{block.line}"
            printed = ""
        else:
            printed = ""


def test_what_the_readme_makes_is_what_it_says(folder: Path) -> None:
    run_page(ROOT / "README.md")
    assert len(callkit.read_parquet("calls.parquet")) == 50
    assert Path("cost.png").stat().st_size > 10_000


def test_the_recipes_of_common_questions_do_what_they_say(folder: Path) -> None:
    made = run_page(ROOT / "docs" / "questions.md")
    assert len(made["found"]) == 50
    assert len(made["joined"]) == 100
    assert made["joined"]["from"].notna().all()
    assert made["both"]["status"].tolist() == ["busy", "frozen"]
    listed = made["df"]["status"].cat.categories
    assert made["both"]["status"].cat.categories.tolist() == [*listed, "frozen"]
    assert made["top"]["cost"].is_monotonic_decreasing
    lines = Path("for-spreadsheet.csv").read_text("utf-8").splitlines()
    assert [line.replace(";", ",") for line in lines[:1]] == [",".join(callkit.SCHEMA.names)]
    assert len(lines) == 51


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_block_is_in_a_language_that_is_not_run(page: Path) -> None:
    assert {block.language for block in blocks_of(page)} <= RUNS | SHOWN


def test_every_make_target_that_is_shown_exists() -> None:
    shown = {
        target
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for target in re.findall(r"(?:^|\$ |`)make ([a-z]+)", page.read_text("utf-8"), re.MULTILINE)
    }
    made = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= shown <= made


def run_page(page: Path) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks_of(page):
        if block.language == "python":
            run_python(page, block, namespace)
    return namespace


def run_python(page: Path, block: Block, namespace: dict[str, Any]) -> str:
    padding = "\n" * block.line  # so that a traceback names the page's own line
    output = StringIO()
    with redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(padding + block.text, str(page), "exec"), namespace)
    return output.getvalue()


def run_shell(block: Block, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", block.text],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
