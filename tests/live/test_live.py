"""The live API holds to the schema, and so does what was recorded of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import callkit
from callkit.schema import ATTRIBUTES, Kind
from tests.live.__main__ import main as record
from tests.live.calls import SIDS, live_calls, needs_credentials

if TYPE_CHECKING:
    from callkit.sandbox import Sandbox

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.jsonl"))
NAMES = {column.name for column in ATTRIBUTES}
NOT_IN_THE_REFERENCE = {"annotation"}  # seen in bodies, and read by nothing


def check(bodies: list[bytes]) -> None:
    """See that bodies have the attributes of the schema, and values that it can hold."""
    for body in bodies:
        names = set(json.loads(body))
        assert names - NOT_IN_THE_REFERENCE == NAMES
    calls = callkit.normalise(bodies)
    assert len(calls) == len(bodies)
    for column in ATTRIBUTES:
        if column.kind is Kind.CATEGORY:
            assert set(calls[column.name].dropna()) <= set(column.vocabulary), column.name


@needs_credentials
def test_live_calls_hold_to_the_schema() -> None:
    check([call.body for call in live_calls()])


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.name)
def test_recorded_calls_hold_to_the_schema(path: Path) -> None:
    check(path.read_bytes().splitlines())


def test_recording_leaves_redacted_calls(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sids = tmp_path / "sids.txt"
    sids.write_text("\n".join(sandbox.sids(5)))
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", sandbox.account_sid)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", sandbox.auth_token)
    monkeypatch.setenv("CALLKIT_BASE_URL", sandbox.url)
    monkeypatch.setenv(SIDS, str(sids))
    record(tmp_path)
    (written,) = tmp_path.glob("*.jsonl")
    bodies = written.read_bytes().splitlines()
    assert len(bodies) == 5
    check(bodies)
    assert sandbox.account_sid not in written.read_text(encoding="utf-8")


def test_a_body_that_lacks_an_attribute_is_seen() -> None:
    with pytest.raises(AssertionError):
        check([b'{"sid": "CA0123456789abcdef0123456789abcdef"}'])
