"""What a response means for its call (or page) and for the requests that follow.

==============  ========================================  ========================================
meaning         a response or its absence                 the call
==============  ========================================  ========================================
FINAL           200 with that call, or with a page; 403,  is finished
                404, any other status that a retry
                cannot change (see below)
BUSY            429                                       is requested again; no attempt
UNAUTHORIZED    401                                       an attempt; again after a pause
TRANSIENT       408, 421, 423, 425, most 5xx, redirect,   an attempt, unless nothing else succeeds
                reset, time-out, a 200 with anything but  either; again after a back-off, or after
                that call, or a page                      ``Retry-After``
STALE           a used connection of a mounted adapter,   is requested again, once; no attempt
                closed before any byte (callkit's own
                send the request on a new one at once)
LOCAL_FAULT     no file descriptor left                   is requested again; no attempt
==============  ========================================  ========================================

Each status of the `registry <https://www.iana.org/assignments/http-status-codes>`_ means what
RFC 9110, or the RFC that registered it, says about another attempt. A status that is not registered
counts as the x00 of its class, and one outside of all classes as a 500.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache
from typing import Annotated, TypeAlias

import msgspec

from callkit.fetch.connection import NoResponse, Response
from callkit.fetch.credentials import Credentials
from callkit.fetch.pages import Key, Page, failure_of, read_page
from callkit.outcomes import Fetched, Outcome, Reason
from callkit.sids import CallKey, canonical_call_sid

_Fault: TypeAlias = tuple[Reason, int | None, str]  # Twilio's code, and a message

_REASONS: dict[int, Reason] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    429: "rate_limited",
}
# Successes without the content of a 200. (With a 203 a gateway says that it has changed something;
# that body is checked as any other.)
_WITHOUT_CALL = {201, 202, 204, 205, 206, 207, 208, 226}
_PASSING = {
    408,  # the server waited too long for this request, which may be repeated
    421,  # this server is not responsible, and that of another connection may be
    423,  # locked, as long as somebody else uses it
    425,  # too early
}
_LASTING = {
    501,  # the method is unknown
    505,  # so is this version of HTTP
    506,  # the server's configuration contradicts itself
    510,  # the request lacks an extension
}
_INTERIM, _SUCCESSES, _REDIRECTS, _REFUSALS = (range(n, n + 100) for n in (100, 200, 300, 400))
_WAIT_AT_MOST = 3600.0
_MESSAGE_AT_MOST = 200
_LOOKED_AT = 400  # characters: as a secret of 32 may be written six times as long, and may be cut
_REQUEST_ID = re.compile(r"[!-~]{1,100}")
_COUNT = re.compile(r"[0-9]{1,6}")
_SECONDS = re.compile(r"[0-9]{1,99}(\.[0-9]{1,99})?")
_IMF_FIXDATE = re.compile(
    r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [1-9][0-9]{3} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)
_NOT_SHOWN = "not shown, since it repeats the credentials"


class Meaning(Enum):
    FINAL = "final"
    BUSY = "busy"
    UNAUTHORIZED = "unauthorized"
    TRANSIENT = "transient"
    STALE = "stale"
    LOCAL_FAULT = "local fault"


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a request if this attempt is its last, and what else the response states.

    ``counted`` is how many requests the server counts in flight for the account, ``retry_after``
    how many seconds it asks to wait, and ``no_use`` whether no request can ever be made like this.
    """

    outcome: Outcome | Page
    meaning: Meaning
    counted: int | None = None
    retry_after: float | None = None
    no_use: bool = False


class _Sid(msgspec.Struct):
    sid: str


class _ErrorBody(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=0, le=2**31)] | None = None
    message: str | None = None


_sid_of = msgspec.json.Decoder(_Sid).decode
_error_of = msgspec.json.Decoder(_ErrorBody).decode


def judge(
    response: Response | NoResponse,
    key: Key,
    account_sid: str,
    attempts: int,
    credentials: Credentials,
) -> Answer:
    """Return what a response means for the call or page `key` after `attempts` requests.

    A 200 counts as the call only if its body is a JSON object that names the SID asked for.
    """
    if isinstance(response, NoResponse):
        causes = {"stale": Meaning.STALE, "local": Meaning.LOCAL_FAULT}
        meaning = causes.get(response.cause, Meaning.TRANSIENT)
        message = discreet(response.message, credentials)
        failure = failure_of(key, account_sid, response.reason, message, attempts=attempts)
        return Answer(failure, meaning, no_use=response.cause == "settings")
    headers = response.headers
    now = server_now(headers)
    counted = headers.get("Twilio-Concurrent-Requests", "")
    in_flight = int(counted) if _COUNT.fullmatch(counted) else None
    request_id = _request_id(headers, credentials)
    if response.status in _SUCCESSES and response.status not in _WITHOUT_CALL:
        received = (request_id, now, attempts)
        found, instead = _read(response.body, key, account_sid, received, credentials), _NOT_SHOWN
    else:
        found, instead = _error(response), f"HTTP {response.status}"
    if isinstance(found, Fetched | Page):
        return Answer(found, Meaning.FINAL, in_flight)
    reason, code, message = found
    how = {"http_status": response.status, "code": code, "request_id": request_id}
    shown = discreet(message, credentials, instead)
    failure = failure_of(key, account_sid, reason, shown, attempts=attempts, **how)
    wait = retry_after(headers.get("Retry-After"), now)
    return Answer(failure, _meaning_of(response.status, wait), in_flight, wait)


def _meaning_of(status: int, wait: float | None) -> Meaning:
    """Say what another attempt may change where there is no call."""
    match status:
        case 401:
            return Meaning.UNAUTHORIZED
        case 429:
            return Meaning.BUSY
        case 413:
            is_final = wait is None  # the server is short of something for a moment
        case _ if status in _REFUSALS:
            is_final = status not in _PASSING
        case _:
            # What no API says (1xx, 3xx, a 2xx without the call) may be the network's of a hotel.
            is_final = status in _LASTING
    return Meaning.FINAL if is_final else Meaning.TRANSIENT


def _reason_of(status: int) -> Reason:
    if status in _INTERIM or status in _SUCCESSES:
        return "bad_response"
    if status in _REDIRECTS or status in _REFUSALS or status in _LASTING:
        return _REASONS.get(status, "http_error")
    return "server_error"


def discreet(text: str, credentials: Credentials, instead: str = _NOT_SHOWN) -> str:
    """Return the text of a message, which is not too long and repeats no secret."""
    return instead if credentials.stand_in(text[:_LOOKED_AT]) else text[:_MESSAGE_AT_MOST]


def _request_id(headers: Mapping[str, str], credentials: Credentials) -> str | None:
    found = headers.get("Twilio-Request-Id", "")
    return found if _REQUEST_ID.fullmatch(found) and not credentials.stand_in(found) else None


def server_now(headers: Mapping[str, str]) -> datetime:
    """Return the server's time by its ``Date`` header; without a valid one, this machine's."""
    return _imf_fixdate(headers.get("Date", "")) or datetime.now(UTC)


@lru_cache(maxsize=16)  # the responses of one second share it
def _imf_fixdate(text: str) -> datetime | None:
    """Read a date in the one form that servers may send (RFC 9110 §5.6.7)."""
    if not _IMF_FIXDATE.fullmatch(text):
        return None
    try:
        return parsedate_to_datetime(text)
    except ValueError:
        return None


def retry_after(value: str | None, now: datetime) -> float | None:
    """Return how many seconds a ``Retry-After`` header asks for (RFC 9110 §10.2.3), if it does.

    A date is compared with `now`, the server's time.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), _WAIT_AT_MOST)
    try:
        seconds = (parsedate_to_datetime(text) - now).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), _WAIT_AT_MOST)


def _read(
    body: bytes | memoryview,
    key: Key,
    account_sid: str,
    received: tuple[str | None, datetime, int],
    credentials: Credentials,
) -> Fetched | Page | _Fault:
    """Read the body of a 200, or say what is wrong with it."""
    if isinstance(key, CallKey):
        body = bytes(body)
        fault = _wrong_body(body, key.sid, credentials)
        return fault or Fetched(key.sid, account_sid, body, *received)
    try:
        rows, next_uri = read_page(key, body)
        return Page(key, rows, next_uri, *received)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        name = "calls" if key.of_calls else "accounts"
        message = f"the body is not a page: a JSON object with '{name}' and 'next_page_uri'"
        return "bad_response", None, message


def _wrong_body(body: bytes, sid: str, credentials: Credentials) -> _Fault | None:
    """Say what is wrong with a 200, unless it is the call `sid`."""
    try:
        found = _sid_of(body).sid
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A call is never quoted, since it contains personal data.
        is_json = not set(b"{[").isdisjoint(body.lstrip()[:4])  # a mark of its encoding is before
        began = f"its {len(body):,} bytes begin like one" if is_json else f"it begins {body[:40]!r}"
        message = f"the body is not a JSON object with a SID; {began}"
        quoted = body[:_LOOKED_AT].decode(errors="replace")
    except RecursionError:
        message, quoted = "the body is nested too deeply", ""
    else:
        if found == sid or canonical_call_sid(found) == sid:
            return None
        message, quoted = f"the body is that of another call, {found[:40]!r}", found[:_LOOKED_AT]
    # What is shown may be the beginning of a secret.
    return "bad_response", None, _NOT_SHOWN if credentials.stand_in(quoted) else message


def _error(response: Response) -> _Fault:
    status, reason = response.status, _reason_of(response.status)
    if status in _REDIRECTS:
        return reason, None, f"HTTP {status}: a redirect, which is not followed"
    if reason == "bad_response":
        return reason, None, f"HTTP {status} instead of 200"
    try:
        error = _error_of(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _ErrorBody()
    return reason, error.code, error.message or f"HTTP {status}"
