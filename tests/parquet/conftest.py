from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import callkit

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from callkit import Client
    from callkit.sandbox import Sandbox


@pytest.fixture
def calls(sandbox: Sandbox, client: Client) -> pd.DataFrame:
    return callkit.to_frame(sandbox.sid_frame(600), client=client)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.parquet"
