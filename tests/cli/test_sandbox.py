from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

import pytest
import requests

from tests.cli.shell import started

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Refused


def test_a_port_in_use_is_told_in_one_sentence(refused: Refused) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("sandbox", "--port", port)
    assert str(port) in said
    assert "in use" in said


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--port", "65536", "whole number from 0 to 65,535"),
        ("--calls", "-1", "whole number from 1"),
        ("--latency", "nan", "number of seconds from 0 to 3,600"),
        ("--limit", "0", "whole number from 1"),
        ("--now", "soon", "date or time (such as 2025-03-15 or 2025-03-15T12:30Z)"),
    ],
)
def test_a_value_out_of_bounds_is_told_in_one_sentence(
    refused: Refused, option: str, value: str, expected: str
) -> None:
    assert refused("sandbox", option, value).endswith(
        f"argument {option}: invalid {expected} value: '{value}'"
    )


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_stopped(tmp_path: Path, stop: signal.Signals) -> None:
    with started("sandbox", "--port", "0", folder=tmp_path) as process:
        assert process.stdout is not None
        assert "http://127.0.0.1:" in process.stdout.readline()
        process.send_signal(stop)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("now", ["2025-03-15", "2025-03-15T00:00Z", "2025-03-15T01:00+01:00"])
def test_its_present_time_can_be_set(tmp_path: Path, now: str) -> None:
    with started("sandbox", "--port", "0", "--now", now, folder=tmp_path) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[3]
        date = requests.get(url, timeout=10).headers["Date"]
        process.terminate()
    assert date == "Sat, 15 Mar 2025 00:00:00 GMT"
