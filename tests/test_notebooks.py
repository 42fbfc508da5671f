from __future__ import annotations

import base64
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib.font_manager  # noqa: F401 - makes the cache of fonts, of which a kernel would warn
import papermill  # type: ignore[import-untyped]
import pytest
from nbclient.exceptions import CellExecutionError
from pandas.testing import assert_frame_equal

import callkit
from callkit.sandbox import Sandbox
from notebooks.refresh import HERE, NAMES, copied, execute, read, steady

if TYPE_CHECKING:
    from nbformat import NotebookNode

pytestmark = pytest.mark.slow

MOST_BYTES = 400_000
PER_CALL = {"calls.parquet", "failures.parquet", "call_trees.parquet"}  # tables without periods


class Runs(NamedTuple):
    """The notebooks executed one after the other, and the later two without the first."""

    in_order: dict[str, NotebookNode]
    data: Path
    alone: dict[str, NotebookNode]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    together, apart = (tmp_path_factory.mktemp(name) for name in ("in_order", "alone"))
    with ThreadPoolExecutor() as pool:
        in_order = pool.submit(_executed, copied(together))
        alone = pool.submit(_executed, copied(apart)[1:])
        return Runs(in_order.result(), together / "data", alone.result())


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def committed(name: str) -> NotebookNode:
    return read(HERE / f"{name}.ipynb")


def _executed(notebooks: list[Path]) -> dict[str, NotebookNode]:
    return {notebook.stem: execute(notebook) for notebook in notebooks}


def _outputs(notebook: NotebookNode) -> list[tuple[str, Any]]:
    """List what a run shows, cell by cell: texts and tables as they are, and where pictures are."""
    return [
        (cell.id, output.get("text") or _seen(output.data))
        for cell in steady(notebook).cells
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def _seen(data: dict[str, str]) -> dict[str, str]:
    return {kind: "(a picture)" if kind == "image/png" else text for kind, text in data.items()}


def test_each_runs_without_an_error_or_a_warning(runs: Runs, name: str) -> None:
    for cell in runs.in_order[name].cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text


def test_what_is_committed_is_what_it_gives(runs: Runs, name: str, committed: NotebookNode) -> None:
    assert _outputs(committed) == _outputs(runs.in_order[name])


@pytest.mark.parametrize("name", NAMES[1:])
def test_each_runs_alone_and_says_whose_calls_it_shows(
    runs: Runs, name: str, committed: NotebookNode
) -> None:
    (cell, said), *rest = _outputs(runs.alone[name])
    assert cell == "setup"
    assert "these are the sandbox's calls" in said
    assert rest == _outputs(committed)


def test_the_first_code_cell_takes_parameters(committed: NotebookNode) -> None:
    first = next(cell for cell in committed.cells if cell.cell_type == "code")
    assert first.metadata.tags == ["parameters"]


def test_every_file_says_which_calls_it_covers(runs: Runs) -> None:
    files = list(runs.data.glob("*.parquet"))
    assert len(files) == 17
    for file in files:
        said = callkit.read_parquet(file).attrs["callkit"]
        counts = [said[f"calls_{what}"] for what in ("asked", "got", "failed")]
        assert counts == [1000, 997, 3], file
        assert said["as_of_first"] <= said["as_of_last"], file
        assert said.get("tz") == (None if file.name in PER_CALL else "UTC"), file


def test_the_tables_are_those_of_a_plain_script(runs: Runs) -> None:
    with Sandbox(calls=10_000, seed=7) as sandbox, sandbox.client() as client:
        got = callkit.collect(runs.data / "sample_sids.txt", client=client)
    tables = {
        "calls": got.frame,
        "cost_over_time": callkit.cost_breakdown(got.frame, "direction", freq="W"),
        "duration_over_time": callkit.duration_breakdown(got.frame, freq="W"),
        "calls_in_progress": callkit.calls_in_progress(got.frame, freq="D"),
        "call_trees": callkit.roll_up(got.frame),
    }
    for name, table in tables.items():
        assert_frame_equal(callkit.read_parquet(runs.data / f"{name}.parquet"), table)
    failures = callkit.read_parquet(runs.data / "failures.parquet")
    assert failures["sid"].tolist() == got.failures["sid"].tolist()


def test_the_environment_names_another_account(sandbox: Sandbox, tmp_path: Path) -> None:
    notebook = copied(tmp_path)[0]
    sids = tmp_path / "sids.txt"
    sids.write_text("\n".join(sandbox.sids(20)), encoding="ascii")
    _set_parameters(notebook, sids=str(sids))
    execute(
        notebook,
        TWILIO_ACCOUNT_SID=sandbox.account_sid,
        TWILIO_AUTH_TOKEN=sandbox.auth_token,
        CALLKIT_BASE_URL=sandbox.url,
    )
    df = callkit.read_parquet(tmp_path / "data" / "calls.parquet")
    assert df["sid"].tolist() == sandbox.sids(20)


def test_a_file_that_is_not_there_is_not_replaced_by_the_sandbox(tmp_path: Path) -> None:
    notebook = copied(tmp_path)[1]
    _set_parameters(notebook, calls="march.parquet")
    with pytest.raises(CellExecutionError, match=r"march\.parquet"):
        execute(notebook)


def _set_parameters(notebook: Path, **parameters: str) -> None:
    papermill.execute_notebook(
        notebook, notebook, parameters, prepare_only=True, progress_bar=False
    )


def test_what_is_committed_is_small_and_stays_the_same_from_run_to_run(
    name: str, committed: NotebookNode
) -> None:
    assert (HERE / f"{name}.ipynb").stat().st_size < MOST_BYTES
    assert steady(read(HERE / f"{name}.ipynb")) == committed
    assert all(re.fullmatch("[a-z-]+", cell.id) for cell in committed.cells)


def test_what_is_committed_gives_nothing_away(name: str) -> None:
    text = (HERE / f"{name}.ipynb").read_text(encoding="utf-8")
    sandbox = Sandbox()
    secrets = [sandbox.auth_token, sandbox.api_secret]
    secrets += [base64.b64encode(secret.encode()).decode() for secret in secrets]
    places = [sys.prefix, str(Path.home()) + "/", "/tmp/", "127.0.0.1", "localhost"]
    for given_away in [*secrets, *places]:
        assert given_away not in text
