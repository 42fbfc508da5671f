from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import callkit

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from callkit.sandbox import Sandbox


@pytest.fixture(scope="session")
def fetched(sandbox: Sandbox) -> pd.DataFrame:
    with sandbox.client() as client:
        return callkit.to_frame(sandbox.sid_frame(600), client=client)


@pytest.fixture
def calls(fetched: pd.DataFrame) -> pd.DataFrame:
    return fetched.copy()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.parquet"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "calls"
