"""A notebook as it stands before somebody in JupyterLab: cells, menus, buttons, outputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from playwright.sync_api import expect

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Locator, Page

    from tests.jupyterlab.server import Lab

__all__ = ["NotebookPage", "open_notebook", "photograph"]

_NUMBERED = re.compile(r"^\[\d+\]:$")
_COUNT_BEYOND = """
([output, seen]) => {
    const shown = output.innerText.match(/(\\d+)\\/\\d+/);
    return shown && Number(shown[1]) > seen ? Number(shown[1]) : null;
}
"""
_HOW_MANY_DRAWN = "images => images.filter(i => i.complete && i.naturalWidth > 0).length"


@dataclass(frozen=True)
class NotebookPage:
    """A notebook that is open in JupyterLab. Cells are its code cells, counted from 0."""

    page: Page

    def run(self, number: int) -> None:
        """Press Shift+Enter in a cell."""
        self.cell(number).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Shift+Enter")

    def run_all(self) -> None:
        """Choose "Run All Cells" from the menu, and wait until they ran or one has failed."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        expect(self.prompts.first).to_have_text(_NUMBERED)
        expect(self.prompts.filter(has_text="[*]")).to_have_count(0)

    def stop(self) -> None:
        """Press the toolbar's stop button."""
        self.page.locator('.jp-Toolbar [data-command="notebook:interrupt-kernel"]').click()

    def wait_until_ran(self, number: int, within: float | None = None) -> None:
        """Wait, so many milliseconds at most, until a cell has its number: it has ended."""
        expect(self.prompts.nth(number)).to_have_text(_NUMBERED, timeout=within)

    def wait_for_count(self, number: int, beyond: int) -> int:
        """Wait until the bar below a cell shows more than so many calls; return how many."""
        output = self.outputs(number).first.element_handle()
        shown = self.page.wait_for_function(_COUNT_BEYOND, arg=[output, beyond])
        return int(shown.json_value())

    def cell(self, number: int) -> Locator:
        """Return a cell."""
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)

    @property
    def prompts(self) -> Locator:
        """What stands beside each cell: [ ] before it runs, [*] until it ends, then its number."""
        return self.page.locator(".jp-Notebook .jp-CodeCell .jp-InputArea-prompt")

    def outputs(self, number: int) -> Locator:
        """Return what stands below a cell, one piece after the other."""
        return self.cell(number).locator(".jp-OutputArea-output")

    @property
    def complaints(self) -> list[str]:
        """Every traceback, and everything else on standard error."""
        return self.page.locator(
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"],'
            '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
        ).all_inner_texts()

    @property
    def pictures_drawn(self) -> int:
        """How many pictures stand in the outputs, decoded and with a size."""
        return int(self.page.locator(".jp-OutputArea-output img").evaluate_all(_HOW_MANY_DRAWN))


def open_notebook(page: Page, lab: Lab, path: Path) -> NotebookPage:
    """Open a notebook and wait until its kernel is ready."""
    page.goto(lab.address(path))
    # The notebook's own indicator says "idle" before there is a kernel; the status bar does not.
    status = page.locator("#jp-main-statusbar")
    expect(status).to_contain_text("Python 3 (ipykernel) | Idle")
    return NotebookPage(page)


def photograph(page: Page, path: Path) -> None:
    """Save a picture of the whole notebook, however long."""
    cells = page.locator(".jp-Notebook .jp-Cell")
    if cells.count():
        height = cells.evaluate_all("cells => cells.reduce((sum, c) => sum + c.offsetHeight, 0)")
        page.set_viewport_size({"width": 1400, "height": int(height) + 200})
        cells.first.scroll_into_view_if_needed()
    page.screenshot(path=path)
