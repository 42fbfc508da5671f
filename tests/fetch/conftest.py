from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from callkit.fetch import Client, bulk, pacing, watch
from tests.support.scripted import ACCOUNT, TOKEN, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every rule and shorten its times."""
    monkeypatch.setattr(pacing, "_FIRST_BACK_OFF", 0.002)
    monkeypatch.setattr(bulk, "_SIGN_IN_AGAIN_AFTER", 0.03)
    monkeypatch.setattr(watch, "_REFUSED_FOR", 0.05)


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=server.url, timeout=5) as client:
        yield client
