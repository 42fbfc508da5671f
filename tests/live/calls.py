"""The calls of a real account that the live tests look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from twilio.rest import Client as OfficialClient

import callkit
from callkit.sids import read_sids

if TYPE_CHECKING:
    from callkit import Fetched

SIDS = "CALLKIT_LIVE_SIDS"
MOST_CALLS = 20
_SIGN_INS = ({"TWILIO_AUTH_TOKEN"}, {"TWILIO_API_KEY", "TWILIO_API_SECRET"})

needs_credentials = pytest.mark.skipif(
    not {"TWILIO_ACCOUNT_SID", SIDS} <= os.environ.keys()
    or not any(names <= os.environ.keys() for names in _SIGN_INS),
    reason=f"asks the real API, for an account: set TWILIO_… credentials, and {SIDS} to a SID list "
    "or `newest`",
)


def live_calls() -> list[Fetched]:
    """Fetch the calls that `CALLKIT_LIVE_SIDS` names, twenty at most."""
    named = os.environ[SIDS]
    sids = _newest() if named == "newest" else [key.sid for key in read_sids(named)]
    with callkit.Client() as client:
        outcomes = list(client.fetch_many(sids[:MOST_CALLS]))
    failed = [outcome for outcome in outcomes if isinstance(outcome, callkit.Failure)]
    assert not failed, failed
    return [outcome for outcome in outcomes if isinstance(outcome, callkit.Fetched)]


def _newest() -> list[str]:
    key, secret = (os.environ.get(name) for name in ("TWILIO_API_KEY", "TWILIO_API_SECRET"))
    account, token = (os.environ.get(name) for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"))
    official = OfficialClient(key or account, secret or token, account)
    return [str(call.sid) for call in official.calls.list(limit=MOST_CALLS)]
