"""A benchmark's table: printed, and saved as JSON."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import pandas as pd

RESULTS = Path(__file__).parent / "results"


def save(name: str, rows: list[dict[str, Any]]) -> None:
    """Print `rows` as a table and leave them in ``benchmarks/results/``."""
    print(f"\n{name}\n{pd.DataFrame(rows).to_string(index=False)}", flush=True)
    RESULTS.mkdir(exist_ok=True)
    machine = {"python": platform.python_version(), "machine": platform.machine()}
    content = {"benchmark": name, **machine, "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
