"""Each notebook, run from JupyterLab's menu as its reader would."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.jupyterlab.page import open_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.jupyterlab.server import Lab

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[2]
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_every_cell_runs_and_every_chart_is_drawn(notebook: Path, lab: Lab, page: Page) -> None:
    opened = open_notebook(page, lab, in_a_fresh_clone(notebook, lab.root / notebook.stem))
    opened.run_all()
    assert opened.complaints == []
    assert "[ ]:" not in opened.prompts.all_inner_texts()
    assert opened.pictures_drawn == pictures_committed(notebook)


def in_a_fresh_clone(notebook: Path, folder: Path) -> Path:
    for name in ("data", "notebooks"):
        (folder / name).mkdir(parents=True)
    shutil.copy(PROJECT / "data" / "sample_sids.txt", folder / "data")
    return Path(shutil.copy(notebook, folder / "notebooks"))


def pictures_committed(notebook: Path) -> int:
    cells = nbformat.read(notebook, as_version=4).cells  # type: ignore[no-untyped-call]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return sum("image/png" in output.get("data", {}) for output in outputs)
