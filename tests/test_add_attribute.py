"""A new attribute is one line in the schema: here the line is added, and all else follows."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LIST = "ATTRIBUTES: tuple[Column, ...] = (\n"
LINE = '    Column("ring_time", Kind.SECONDS, "How long it rang.", "s", personal=True),\n'
SCRIPT = """
import json, runpy
import callkit, pyarrow.parquet as pq

bodies = [{"sid": f"CA{n:032x}", "ring_time": ring_time} for n, ring_time in enumerate(["7", ""])]
df = callkit.normalise(bodies)
callkit.to_parquet(df, "calls.parquet")
field = pq.read_schema("calls.parquet").field("ring_time")
try:
    callkit.normalise([{**bodies[0], "ring_time": "long"}])
except callkit.errors.NormaliseError as error:
    refusal = error.failures.loc[0, "message"]
print(json.dumps({
    "dtype": str(df["ring_time"].dtype),
    "values": [str(value) for value in df["ring_time"]],
    "refusal": refusal,
    "arrow": str(field.type),
    "said": {key.decode(): value.decode() for key, value in field.metadata.items()},
    "read": str(callkit.read_parquet("calls.parquet")["ring_time"].dtype),
    "documented": runpy.run_path("docs/conf.py")["myst_substitutions"]["attributes"],
}))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a copy of callkit does that has the line."""
    copy = tmp_path_factory.mktemp("copy")
    for folder in ("callkit", "docs"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    schema = copy / "callkit" / "schema.py"
    before = schema.read_text(encoding="utf-8")
    assert before.count(LIST) == 1
    schema.write_text(before.replace(LIST, LIST + LINE), encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        check=True,
        stdout=subprocess.PIPE,
    )
    printed: dict[str, Any] = json.loads(run.stdout)
    return printed


def test_it_is_typed_in_the_frame(seen: dict[str, Any]) -> None:
    assert (seen["dtype"], seen["values"]) == ("timedelta64[ms]", ["0 days 00:00:07", "NaT"])


def test_a_value_that_breaks_its_type_is_refused_by_name(seen: dict[str, Any]) -> None:
    assert seen["refusal"].startswith("ring_time: ")
    assert "'long'" in seen["refusal"]


def test_parquet_has_its_type_and_says_what_it_means(seen: dict[str, Any]) -> None:
    assert seen["arrow"] == "duration[s]"
    about = {"description": "How long it rang.", "unit": "s", "personal": "true"}
    assert about.items() <= seen["said"].items()


def test_parquet_gives_it_back_as_it_was(seen: dict[str, Any]) -> None:
    assert seen["read"] == seen["dtype"]


def test_it_is_in_the_documented_table(seen: dict[str, Any]) -> None:
    row = "| `ring_time` | seconds (s) | How long it rang. *Personal.* |"
    assert row in seen["documented"].splitlines()
