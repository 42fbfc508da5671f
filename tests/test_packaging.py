"""What is handed out: what the wheel and the sdist hold, and what an import brings along."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

import callkit

ROOT = Path(__file__).parents[1]
PACKAGE = {
    path.relative_to(ROOT).as_posix(): path.read_bytes()
    for path in (ROOT / "callkit").rglob("*")
    if path.suffix == ".py" or path.name == "py.typed"
}
# What is only imported when something is drawn, served, or shown in a notebook.
LATER = {"matplotlib", "uvicorn", "uvloop", "IPython", "ipywidgets", "jinja2"}


def built(kind: str, source: Path, folder: Path) -> Path:
    """Build without the network, by what this environment has."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [path] = folder.iterdir()
    return path


def contents(wheel: Path) -> dict[str, bytes]:
    with ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return contents(built("wheel", ROOT, tmp_path_factory.mktemp("wheel")))


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, unpacked."""
    archive = built("sdist", ROOT, tmp_path_factory.mktemp("sdist"))
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    [unpacked] = folder.iterdir()
    return unpacked


def test_the_wheel_holds_the_package_and_its_licence_alone(wheel: dict[str, bytes]) -> None:
    about = f"callkit-{callkit.__version__}.dist-info"
    said = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]
    assert set(wheel) == {*PACKAGE, *(f"{about}/{name}" for name in said)}
    assert "callkit/py.typed" in wheel


def test_the_sdist_builds_the_same_wheel(
    sdist: Path, wheel: dict[str, bytes], tmp_path: Path
) -> None:
    assert contents(built("wheel", sdist, tmp_path)) == wheel


@pytest.mark.parametrize("folder", ["benchmarks", "docs", "notebooks", "tests"])
def test_the_sdist_holds_all_that_it_is_checked_with(sdist: Path, folder: str) -> None:
    endings = {".py", ".md", ".ipynb", ".txt", ".sh", ".png"}
    files = (path.relative_to(ROOT) for path in (ROOT / folder).rglob("*"))
    kept = {path for path in files if path.suffix in endings and "/." not in str(path)}
    assert kept
    assert kept <= {path.relative_to(sdist) for path in sdist.rglob("*")}


@pytest.mark.parametrize(
    "name", ["CHANGELOG.md", "LICENSE", "Makefile", "conftest.py", "constraints.txt"]
)
def test_the_sdist_holds_what_stands_beside_the_folders(sdist: Path, name: str) -> None:
    assert (sdist / name).read_bytes() == (ROOT / name).read_bytes()


def imported_by(code: str) -> set[str]:
    """List the modules that are there after running `code` in a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())


def test_importing_callkit_leaves_for_later_what_it_may_not_need() -> None:
    assert LATER & imported_by("import callkit") == set()


def test_charts_bring_matplotlib_when_they_are_first_used() -> None:
    modules = imported_by("import callkit; callkit.charts.cost")
    assert "matplotlib" in modules
    assert "matplotlib.pyplot" not in modules


def test_a_sandbox_that_is_not_running_needs_no_extra() -> None:
    code = "import sys; sys.modules['uvicorn'] = None; import callkit.sandbox as s; s.Sandbox()"
    assert "callkit.sandbox.sandbox" in imported_by(code)


def test_no_fault_is_handed_out(wheel: dict[str, bytes]) -> None:
    assert not [name for name, content in wheel.items() if b"gzip_bomb" in content]
