"""What the endpoint may answer: a call, or an error in Twilio's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from callkit.sandbox.calls import body_of

if TYPE_CHECKING:
    from callkit.sandbox.calls import Call

__all__ = [
    "Answer",
    "Header",
    "found",
    "internal_error",
    "method_not_allowed",
    "not_found",
    "too_many",
    "unauthorized",
    "unavailable",
]

Header = tuple[bytes, bytes]


class Answer(NamedTuple):
    """A status, a body and the headers that are particular to them."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()
    content_type: bytes = b"application/json"


def found(call: Call) -> Answer:
    """200: the call."""
    return Answer(200, body_of(call))


def unauthorized() -> Answer:
    """401: no credentials, or wrong ones."""
    challenge = (b"www-authenticate", b'Basic realm="Twilio API"')
    return _error(401, 20003, "Authenticate", challenge)


def not_found(path: str) -> Answer:
    """404: there is nothing under that path for whoever signed in."""
    return _error(404, 20404, f"The requested resource {path} was not found")


def method_not_allowed(path: str, method: str) -> Answer:
    """405: only GET is served."""
    message = f"The requested resource {path} does not support the method {method}"
    return _error(405, 20004, message, (b"allow", b"GET"))


def too_many(retry_after: int | None) -> Answer:
    """429: more requests in flight than the limit; the request was not processed."""
    advice = () if retry_after is None else ((b"retry-after", str(retry_after).encode()),)
    return _error(429, 20429, "Too Many Requests", *advice)


def internal_error() -> Answer:
    """500: something broke."""
    return _error(500, 20500, "An internal server error has occurred")


def unavailable() -> Answer:
    """503: nothing is answered just now."""
    return _error(503, 20503, "Service unavailable")


def _error(status: int, code: int, message: str, *headers: Header) -> Answer:
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Answer(status, msgspec.json.encode(body), headers)
