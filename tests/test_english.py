"""Words that no reader should stumble over: neither riddles nor a dialect of callkit's."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import PAGES, ROOT
from tests.messages import messages

FORBIDDEN = [
    r"cannot be had",
    r"\b(?:is|are) none\b",
    r"\bof ours\b",
    r"\bcallkit's alone\b",
    r"\bdearest\b",
    r"in a hurry",
    r"\bmouthful",
    r"\bhandful",
    r"\bpush(?:es)? in\b",
    r"\bgives? way\b",
    r"\bsaid once\b",
    r"\b[Ww]hoever\b",
    r"\bcrowd\b",
    r"\bin the place of\b",
    r"\blest\b",
    r"\bwhose turn\b",
    r"\bin vain\b",
    r"\b(?:put|stands?) in the frame\b",
    r"\bthat went out\b",
    r"\bas (?:it|they) came\b",
    r"\b[Nn]obody's\b",
    r"(?<!here )\b(?:is|are) no (?!longer\b|more\b|other\b|such\b)\w",
]
# Its texts are rewritten with the report.
LATER = ("report.py",)
SOURCES = [
    path
    for path in sorted((ROOT / "callkit").rglob("*.py"))
    if not path.relative_to(ROOT / "callkit").as_posix().startswith(LATER)
]


@pytest.mark.parametrize(
    "path",
    [*SOURCES, *PAGES, ROOT / "CONTRIBUTING.md"],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_no_phrase_that_readers_stumble_over(path: Path) -> None:
    text = " ".join(path.read_text(encoding="utf-8").split())
    found = [match[0] for each in FORBIDDEN for match in re.finditer(each, text)]
    assert found == []


def test_there_are_messages_to_read() -> None:
    assert len(set(messages())) > 150
