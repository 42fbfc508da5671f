from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.outcomes import REASONS
from tests.documents import PAGES, ROOT

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "README.md").read_text(encoding="utf-8")
FAILURES = (ROOT / "docs" / "failures.md").read_text(encoding="utf-8")
LINKS = [
    (page, link)
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]
    for link in sorted(set(re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))))
]


def test_the_table_of_columns_is_what_comes_back() -> None:
    dtypes = {str(name): str(dtype) for name, dtype in callkit.normalise([]).dtypes.items()}
    rows = re.findall(r"^\| ((?:`\w+` ?)+)\| (.*?) \|", README, re.MULTILINE)
    written = {
        name: dtype
        for names, dtype in rows
        for name in re.findall(r"`(\w+)`", names)
        if name in dtypes
    }
    assert written.keys() == dtypes.keys()
    for name, dtype in dtypes.items():
        assert dtype.removesuffix("[pyarrow]") in written[name], name


@pytest.mark.parametrize("page", [README, FAILURES], ids=["README.md", "failures.md"])
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_is_explained(reason: str, page: str) -> None:
    assert re.search(rf"^\|.*`{reason}`.*\|", page, re.MULTILINE)


@pytest.mark.parametrize(("page", "link"), LINKS, ids=lambda part: getattr(part, "name", part))
def test_every_link_into_the_repository_leads_somewhere(page: Path, link: str) -> None:
    if "://" not in link:
        assert (page.parent / link.partition("#")[0]).exists()
