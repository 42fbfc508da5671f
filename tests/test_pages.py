from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sphinx.search.en import SearchEnglish

import callkit
from callkit.outcomes import REASONS
from tests.documents import PAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = (ROOT / "docs" / "columns.md").read_text(encoding="utf-8")
FAILURES = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINKS = [
    (page, link)
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
    for link in sorted(set(re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))))
]
PATHS = sorted(
    {
        (page.name, path)
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for path in re.findall(
            r"`((?:callkit|tests|docs|data|notebooks)/[\w/.]+)`", page.read_text(encoding="utf-8")
        )
    }
)
# As in "`Day.read` in `callkit/day.py`".
NAMES = sorted(
    {
        (page.name, name, path)
        for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
        for name, path in re.findall(
            r"`([\w.]+)`,? in `(callkit/[\w/]+\.py)`", page.read_text(encoding="utf-8")
        )
    }
)
MODULES = sorted(
    each.name
    for each in (ROOT / "callkit").iterdir()
    if each.name[0] != "_" and (each.suffix == ".py" or (each / "__init__.py").exists())
)
PUBLIC = {
    f"{module.__name__}.{name}"
    for module in (callkit, callkit.cache, callkit.charts, callkit.errors, callkit.sandbox)
    for name in module.__all__
    if not inspect.ismodule(getattr(module, name))
}
# Documented under their other name.
ALIASES = {"callkit.CallkitError", "callkit.FetchError", "callkit.sandbox.sample"}
# What a user types, and the page that answers.
SEARCHES = [
    ("timezone", "questions"),
    ("time zone", "questions"),
    ("separator", "questions"),
    ("separator", "parquet"),
    ("top", "questions"),
    ("Excel", "parquet"),
    ("wrong account", "failures"),
    ("wrong account", "questions"),
    ("resume", "cache"),
    ("rate limit", "tuning"),
    ("subaccount", "questions"),
    ("subaccount", "date-ranges"),
    ("date range", "date-ranges"),
    ("nightly", "date-ranges"),
    ("cron", "date-ranges"),
    ("Bulk Export", "bulk-export"),
    ("older months", "bulk-export"),
    ("gzip", "bulk-export"),
]


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 200


def test_the_table_of_dtypes_is_what_comes_back() -> None:
    dtypes = {str(name): str(dtype) for name, dtype in callkit.normalise([]).dtypes.items()}
    rows = re.findall(r"^\| [\w ]+ \| ((?:`\w+` ?)+)\| (.*?) \|", COLUMNS, re.MULTILINE)
    written = {name: dtype for names, dtype in rows for name in re.findall(r"`(\w+)`", names)}
    assert written.keys() == dtypes.keys()
    for name, dtype in dtypes.items():
        assert dtype.removesuffix("[pyarrow]") in written[name], name


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained(reason: str) -> None:
    assert re.search(rf"^\|.*`{reason}`.*\|", FAILURES, re.MULTILINE)


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda part: getattr(part, "name", part))
def test_every_link_into_the_repository_leads_somewhere(page: Path, link: str) -> None:
    if "://" not in link:
        assert (page.parent / link.partition("#")[0]).exists()


@pytest.mark.parametrize(("page", "path"), PATHS)
def test_every_file_that_is_named_exists(page: str, path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(("page", "name", "path"), NAMES)
def test_every_name_that_is_said_to_be_in_a_module_is_there(
    page: str, name: str, path: str
) -> None:
    source = (ROOT / path).read_text(encoding="utf-8")
    for part in name.split("."):
        assert re.search(
            rf"^ *((async )?def|class) {part}\b|^ *{part}\b.* = ", source, re.MULTILINE
        )


@pytest.mark.parametrize("module", MODULES)
def test_the_maps_of_the_source_have_every_module(module: str) -> None:
    folder = "" if module.endswith(".py") else "/"
    assert f"\n  {module}{folder} " in README
    assert f"`{module}{folder}`" in (ROOT / "docs" / "built.md").read_text(encoding="utf-8")


def test_every_public_name_is_in_the_api_reference_once() -> None:
    documented: list[str] = []
    for page in (ROOT / "docs" / "api").glob("*.md"):
        module = ""
        for directive, name in re.findall(
            r"^\.\. (currentmodule|py:data|auto(?:function|class|exception)):: ([\w.]+)",
            page.read_text(encoding="utf-8"),
            re.MULTILINE,
        ):
            if directive == "currentmodule":
                module = name
            else:
                documented.append(name if name.startswith("callkit.") else f"{module}.{name}")
    assert len(documented) == len(set(documented))
    beside = {"callkit.breakdown.Summary", "callkit.fetch.RetryPolicy"}
    assert set(documented) == PUBLIC - ALIASES | beside


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Build the documentation, and return the index of its search."""
    out = tmp_path_factory.mktemp("site")
    strict = ["--quiet", "--fail-on-warning", "--keep-going", "--nitpicky"]
    command = [sys.executable, "-m", "sphinx", *strict, "-b", "html", str(ROOT / "docs"), str(out)]
    subprocess.run(command, check=True)
    script = (out / "searchindex.js").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(script.removeprefix("Search.setIndex(").removesuffix(")"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("query", "page"), SEARCHES)
def test_the_search_finds(query: str, page: str, index: dict[str, Any]) -> None:
    """Look the words up as the page's own script does: stemmed, in texts and in titles."""
    stem = SearchEnglish({}).stem
    for word in query.lower().split():
        places = [
            place
            for terms in (index["terms"], index["titleterms"])
            for found in [terms.get(stem(word), [])]
            for place in (found if isinstance(found, list) else [found])
        ]
        assert page in {index["docnames"][place] for place in places}, word
