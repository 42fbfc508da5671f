"""Servers that mean harm: bounded memory and time, a clear failure, the sign-in goes nowhere."""

from __future__ import annotations

import resource
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import requests
import trustme

from callkit import Client, Failure, Fetched
from callkit.errors import RunStoppedError
from tests.support.sandbox import FaultySandbox
from tests.support.scripted import ACCOUNT, TOKEN, ScriptedServer, over_tls, sid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.faults import Kind


@pytest.fixture(scope="module")
def hostile() -> Iterator[FaultySandbox]:
    with FaultySandbox(calls=100, count_calls=True, own_process=True) as sandbox:
        yield sandbox


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("endless_body", "bad_response"),
        ("drip", "timeout"),
        ("huge_body", "bad_response"),
        ("gzip_bomb", "bad_response"),
        ("endless_headers", "bad_response"),
        ("redirect_loop", "http_error"),
        ("stall", "timeout"),
    ],
)
def test_a_hostile_answer_is_a_failure_soon_and_in_little_memory(
    hostile: FaultySandbox, kind: Kind, reason: str
) -> None:
    call_sid, other = fresh_sids(hostile)
    hostile.answer_with(call_sid, kind)
    before, began = peak_mib(), time.monotonic()
    with hostile.client(timeout=1.0 if reason == "timeout" else 30.0) as client:
        outcomes = {o.sid: o for o in client.fetch_many([call_sid, other])}
    assert isinstance(outcomes[other], Fetched)
    failure = outcomes[call_sid]
    assert isinstance(failure, Failure)
    assert failure.reason == reason
    assert peak_mib() - before < 64
    assert time.monotonic() - began < 60  # bounded; not a speed
    assert hostile.strayed.total() == 0


def fresh_sids(hostile: FaultySandbox) -> list[str]:
    """Choose two calls that nothing has been scripted for."""
    return [sid for sid in hostile.sids(80) if not hostile.asked(sid)][:2]


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def trusting(authority: trustme.CA, folder: Path) -> requests.Session:
    bundle = folder / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    session = requests.Session()
    session.verify = str(bundle)
    return session


def test_tls_is_verified(authority: trustme.CA) -> None:
    with ScriptedServer() as server:
        url = over_tls(server, authority.issue_cert("localhost"))
        with (
            Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url) as client,
            pytest.raises(RunStoppedError, match="Cannot send .*: SSLCertVerificationError"),
        ):
            client.fetch(sid(1))
        assert server.paths == []


def test_a_ca_bundle_of_ones_own_counts(authority: trustme.CA, tmp_path: Path) -> None:
    with ScriptedServer() as server, trusting(authority, tmp_path) as session:
        url = over_tls(server, authority.issue_cert("localhost"))
        with Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url, session=session) as client:
            assert client.fetch(sid(1))["sid"] == sid(1)


def test_the_environments_ca_bundle_counts(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    with ScriptedServer() as server:
        url = over_tls(server, authority.issue_cert("localhost"))
        with Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url) as client:
            assert client.fetch(sid(1))["sid"] == sid(1)


@pytest.mark.parametrize("flaw", ["another name", "expired"])
def test_a_certificate_that_does_not_match_is_refused(
    authority: trustme.CA, tmp_path: Path, flaw: str
) -> None:
    certificate = (
        authority.issue_cert("elsewhere.example")
        if flaw == "another name"
        else authority.issue_cert("localhost", not_after=datetime.now(UTC) - timedelta(days=1))
    )
    with ScriptedServer() as server, trusting(authority, tmp_path) as session:
        url = over_tls(server, certificate)
        with (
            Client(account_sid=ACCOUNT, auth_token=TOKEN, base_url=url, session=session) as client,
            pytest.raises(RunStoppedError, match="SSLCertVerificationError"),
        ):
            client.fetch(sid(1))
        assert server.paths == []
