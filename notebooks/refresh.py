"""Execute the notebooks afresh and keep their outputs: ``python notebooks/refresh.py``.

They run in a folder of their own over the sandbox's calls, whatever account the environment names
and whatever lies in ``data/``, so that nobody's calls get into what is committed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast

import nbformat
from nbclient import NotebookClient

from callkit.files.replacing import writing

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["HERE", "NAMES", "copied", "execute", "read", "steady"]

HERE = Path(__file__).parent
NAMES = ("01_calls", "02_cost", "03_duration")

_SAMPLE = HERE.parent / "data" / "sample_sids.txt"
_ACCOUNTS = ("TWILIO_", "CALLKIT_")
_BAR = "application/vnd.jupyter.widget-view+json"
_SECONDS = 300  # that a cell may take, on however slow a machine


def main() -> None:
    """Execute the notebooks in their order, and put them where they were."""
    with TemporaryDirectory() as folder:
        for notebook in copied(Path(folder)):
            text: str = nbformat.writes(steady(execute(notebook)))  # type: ignore[no-untyped-call]
            with writing(HERE / notebook.name) as part:
                part.write_text(text + "\n", encoding="utf-8")


def copied(folder: Path) -> list[Path]:
    """Copy the notebooks, and the sample list beside them, as a fresh clone has them."""
    for name in ("notebooks", "data"):
        (folder / name).mkdir(parents=True)
    shutil.copy(_SAMPLE, folder / "data")
    return [Path(shutil.copy(HERE / f"{name}.ipynb", folder / "notebooks")) for name in NAMES]


def read(notebook: Path) -> NotebookNode:
    """Read a notebook as it lies there."""
    text = notebook.read_text(encoding="utf-8")
    return cast("NotebookNode", nbformat.reads(text, as_version=4))  # type: ignore[no-untyped-call]


def execute(notebook: Path, **environment: str) -> NotebookNode:
    """Run every cell in the notebook's own folder, with no account but that in `environment`.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        A cell raised.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_ACCOUNTS)}
    client = NotebookClient(
        read(notebook),
        timeout=_SECONDS,
        record_timing=False,
        store_widget_state=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    return asyncio.run(client.async_execute(env={**kept, **environment}))


def steady(notebook: NotebookNode) -> NotebookNode:
    """Leave out what no two runs have alike: progress bars, Python's version."""
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if _BAR not in each.get("data", {})]
    return notebook


if __name__ == "__main__":
    main()
