"""What every doctest may rely on: an empty folder to work in, and the usual imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import callkit

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _doctest_surroundings(
    request: pytest.FixtureRequest,
    doctest_namespace: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(callkit=callkit, pd=pd)
        monkeypatch.chdir(tmp_path)
