from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.scripted import QUICK_RETRIES, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callkit.fetch import Client


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with server.client(timeout=5, retry_policy=QUICK_RETRIES) as client:
        yield client
