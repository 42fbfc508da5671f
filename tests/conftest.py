from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from callkit.sandbox import Sandbox
from tests.support.scripted import ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from callkit import Client

settings.register_profile("callkit", deadline=None, derandomize=True)
settings.load_profile("callkit")


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(calls=5_000, seed=7) as sandbox:
        yield sandbox


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    with sandbox.client() as client:
        yield client


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture
def scripted_client(server: ScriptedServer) -> Iterator[Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have temporary files made in a folder of the test's own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path
