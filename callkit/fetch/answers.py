"""What an answer means for the call that was asked for."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated

import msgspec

from callkit.fetch.transport import Answer, NoAnswer
from callkit.outcomes import Failure, Fetched

if TYPE_CHECKING:
    from callkit.outcomes import Outcome, Reason

__all__ = ["concurrent_requests", "judge", "may_pass", "retry_after"]

_REASONS: dict[int, Reason] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    429: "rate_limited",
}
_TRANSIENT = {"rate_limited", "server_error", "timeout", "connection", "bad_response"}
_OK = 200
_SERVER_ERRORS = range(500, 600)
_REDIRECTS = range(300, 400)
_WAIT_AT_MOST = 3600.0
_MESSAGE_AT_MOST = 200
_COUNT = re.compile(r"[0-9]{1,6}")


class _Sid(msgspec.Struct):
    sid: str


class _ErrorBody(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=0, le=2**31)] | None = None
    message: str | None = None


_sid_of = msgspec.json.Decoder(_Sid).decode
_error_of = msgspec.json.Decoder(_ErrorBody).decode


def judge(reply: Answer | NoAnswer, sid: str, account_sid: str, attempts: int) -> Outcome:
    """Turn what came back into the call's outcome, were this attempt the last.

    A 200 counts as the call only if its body is a JSON object that names the SID asked for.
    """
    if isinstance(reply, NoAnswer):
        return Failure(sid, account_sid, reply.reason, reply.message, attempts=attempts)
    request_id = reply.headers.get("Twilio-Request-Id")
    if reply.status != _OK:
        return _refusal(reply, sid, account_sid, attempts, request_id)
    fault = _fault(reply.body, sid)
    if fault is None:
        now = datetime.now(UTC)
        return Fetched(sid, account_sid, reply.body, request_id, now, attempts)
    return Failure(
        sid, account_sid, "bad_response", fault, reply.status, None, request_id, attempts
    )


def may_pass(failure: Failure) -> bool:
    """Say whether another attempt may mend a failure.

    A redirect too: the API has none, but the network of a hotel or an airport does.
    """
    return failure.reason in _TRANSIENT or failure.http_status in _REDIRECTS


def concurrent_requests(reply: Answer | NoAnswer) -> int | None:
    """Return how many requests the server counted in flight for the account, if it says."""
    if isinstance(reply, NoAnswer):
        return None
    value = reply.headers.get("Twilio-Concurrent-Requests", "")
    return int(value) if _COUNT.fullmatch(value) else None


def retry_after(reply: Answer | NoAnswer) -> float | None:
    """Return how many seconds the server asks us to wait (RFC 9110 §10.2.3), if it does."""
    if isinstance(reply, NoAnswer):
        return None
    value = reply.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]+)?", value):
        return min(float(value), _WAIT_AT_MOST)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _WAIT_AT_MOST)


def _fault(body: bytes, sid: str) -> str | None:
    try:
        found = _sid_of(body).sid
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"the body is no JSON object with a SID; {_glimpse(body)}"
    except RecursionError:
        return "the body is nested too deeply"
    if found[:2] + found[2:].lower() != sid:
        return f"the body is that of another call, {found[:40]!r}"
    return None


def _glimpse(body: bytes) -> str:
    """Say what a body looks like, and nothing of a call: whom it names is nobody's business."""
    if body.lstrip()[:1] in {b"{", b"["}:
        return f"its {len(body):,} bytes begin like one"
    return f"it begins {body[:40]!r}"


def _refusal(
    answer: Answer, sid: str, account_sid: str, attempts: int, request_id: str | None
) -> Failure:
    reason = _REASONS.get(answer.status)
    if reason is None:
        reason = "server_error" if answer.status in _SERVER_ERRORS else "http_error"
    try:
        error = _error_of(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _ErrorBody()
    message = (error.message or f"HTTP {answer.status}")[:_MESSAGE_AT_MOST]
    if answer.status in _REDIRECTS:
        message = f"HTTP {answer.status}: a redirect, which is not followed"
    return Failure(
        sid, account_sid, reason, message, answer.status, error.code, request_id, attempts
    )
