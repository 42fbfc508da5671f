"""What a run says, and when it ends, where nothing succeeds."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit import Client
from callkit.errors import RunStoppedError
from tests.support.scripted import ACCOUNT, TOKEN, sid

if TYPE_CHECKING:
    from collections.abc import Iterator

SIDS = [sid(number) for number in range(300)]


@pytest.fixture
def nobody() -> Iterator[Client]:
    """Sign in where nobody listens."""
    with socket.socket() as taken:  # bound, and so nobody else's, but not listening
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(
            account_sid=ACCOUNT, auth_token=TOKEN, base_url=url, give_up_after=0.5
        ) as client:
            yield client


def test_a_refused_connection_is_told_before_patience_ends(
    nobody: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(RunStoppedError):
        callkit.to_frame(SIDS, client=nobody)
    (told,) = caplog.messages
    assert told == (
        f"No successful response from {ACCOUNT} at {nobody.base_url} in the last 0.5 s "
        "(connection: ConnectionRefusedError: Connection refused); retrying for up to 0.5 s "
        "(Ctrl-C stops)"
    )


def test_a_refused_connection_is_no_timeout(nobody: Client) -> None:
    with pytest.raises(RunStoppedError, match="connection: ConnectionRefusedError") as caught:
        callkit.to_frame(SIDS, client=nobody)
    assert set(caught.value.failures["reason"]) <= {"connection", "not_attempted"}
