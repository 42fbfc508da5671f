"""The size of `callkit/`, and the number of its functions that one fetched call passes through.

Usage: python -m benchmarks.structure [--tree PATH]

Lines are counted after `ruff format` at 100 columns; ruff's C901 and PLR0915 count the complexity
and the statements of a function. `benchmarks/call_path.py` defines what counts on the call path.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.report import save

RUFF = [sys.executable, "-m", "ruff"]
HERE = Path(__file__).parent


def formatted(tree: Path, folder: Path) -> dict[str, str]:
    """Copy the sources of `tree` into `folder`, format them, and return them by path."""
    shutil.copytree(
        tree / "callkit", folder / "callkit", ignore=shutil.ignore_patterns("__pycache__")
    )
    command = [*RUFF, "format", "--isolated", "--quiet", "--line-length=100", "."]
    subprocess.run(command, cwd=folder, check=True)
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(folder.rglob("*.py"))
    }


def highest(folder: Path, rule: str, setting: str) -> tuple[int, str]:
    """Return the largest count that a rule of ruff reports, and where it is."""
    command = [*RUFF, "check", "--isolated", "--no-cache", "--ignore-noqa", "--exit-zero"]
    command += [f"--select={rule}", f"--config={setting}=1", "--output-format=json", "."]
    found = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    counts = []
    for each in json.loads(found.stdout):
        count = re.search(r"\((\d+) > 1\)", each["message"])
        assert count is not None, each["message"]
        place = Path(each["filename"]).relative_to(folder.resolve())
        counts.append((int(count[1]), f"{place}:{each['location']['row']}"))
    return max(counts)


def sizes(tree: Path) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as name:
        sources = formatted(tree, Path(name))
        longest = highest(Path(name), "PLR0915", "lint.pylint.max-statements")
        hardest = highest(Path(name), "C901", "lint.mccabe.max-complexity")
    lines = {path: text.count("\n") for path, text in sources.items()}
    nodes = (node for text in sources.values() for node in ast.walk(ast.parse(text)))
    longest_file = max(lines, key=lines.__getitem__)
    return [
        _row("lines", sum(lines.values())),
        _row("AST statements", sum(isinstance(node, ast.stmt) for node in nodes)),
        _row("files", len(lines)),
        _row("longest file, lines", lines[longest_file], longest_file),
        _row("longest function, statements", *longest),
        _row("highest complexity of a function", *hardest),
    ]


def call_paths(tree: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-P", HERE / "call_path.py", tree],
        env={**os.environ, "PYTHONPATH": str(tree)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [
        _row(f"{case}: {what}", count)
        for case, figures in json.loads(done.stdout).items()
        for what, count in figures.items()
    ]


def _row(measure: str, value: float, where: str = "") -> dict[str, Any]:
    return {"measure": measure, "value": value, "where": where}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", type=Path, default=HERE.parent)
    tree = parser.parse_args().tree.resolve()
    save("structure", [*sizes(tree), *call_paths(tree)])


if __name__ == "__main__":
    main()
