from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from callkit.fetch import Client
from tests.support.scripted import ACCOUNT, IN_A_HURRY, TOKEN, ScriptedServer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[Client]:
    with Client(
        account_sid=ACCOUNT,
        auth_token=TOKEN,
        base_url=server.url,
        timeout=5,
        retry_policy=IN_A_HURRY,
    ) as client:
        yield client
