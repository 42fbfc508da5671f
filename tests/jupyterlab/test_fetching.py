"""A long fetch in JupyterLab: its bar moves, and the stop button ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect

from callkit.sandbox import Sandbox
from tests.jupyterlab.page import open_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from tests.jupyterlab.server import Lab

pytestmark = pytest.mark.slow

CALLS = 6_000
FREE_WITHIN = 20_000  # milliseconds; a second or two, and what a loaded machine adds
SET_UP, SLOW_FETCH, NEXT = range(3)

CLIENT = """
import threading
import callkit
client = callkit.Client(account_sid={account_sid!r}, auth_token={auth_token!r}, base_url={url!r})
"""
FETCH = "callkit.to_frame('sids.txt', client=client)"
SMALL_FETCH = """
left = [thread.name for thread in threading.enumerate() if thread.name.startswith("callkit")]
print(left, callkit.collect({sids!r}, client=client))
"""
WITHOUT_WIDGETS = "import sys; sys.modules['ipywidgets'] = None"


@pytest.fixture(scope="module")
def slow_sandbox() -> Iterator[Sandbox]:
    """Give a sandbox that needs four minutes and more for all its calls."""
    with Sandbox(calls=2 * CALLS, latency=1.0) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("before", "fetch"),
    [
        pytest.param("", FETCH, id="with a widget"),
        pytest.param(WITHOUT_WIDGETS, FETCH, id="as text"),
        pytest.param(f"async def fetch(): return {FETCH}", "await fetch()", id="in an async cell"),
    ],
)
def test_the_bar_moves_and_the_stop_button_frees_the_kernel(
    before: str, fetch: str, slow_sandbox: Sandbox, lab: Lab, page: Page
) -> None:
    set_up = CLIENT.format(
        account_sid=slow_sandbox.account_sid,
        auth_token=slow_sandbox.auth_token,
        url=slow_sandbox.url,
    )
    sids = slow_sandbox.sids(CALLS)
    (lab.root / "sids.txt").write_text("\n".join(sids))
    cells = [before + set_up, fetch, SMALL_FETCH.format(sids=sids[:10])]
    notebook = open_notebook(page, lab, written(lab.root / "slow.ipynb", cells))
    notebook.run(SET_UP)
    notebook.run(SLOW_FETCH)
    shown = notebook.wait_for_count(SLOW_FETCH, beyond=0)
    notebook.wait_for_count(SLOW_FETCH, beyond=shown)
    assert notebook.complaints == []

    notebook.stop()
    notebook.wait_until_ran(SLOW_FETCH, within=FREE_WITHIN)
    expect(notebook.outputs(SLOW_FETCH).last).to_contain_text("FetchInterrupted: interrupted after")

    notebook.run(NEXT)
    expect(notebook.outputs(NEXT)).to_have_text("[] FetchResult(10 calls, no failures)")


def written(path: Path, cells: list[str]) -> Path:
    notebook = new_notebook(  # type: ignore[no-untyped-call]
        cells=[new_code_cell(cell.strip()) for cell in cells],  # type: ignore[no-untyped-call]
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"}},
    )
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path
