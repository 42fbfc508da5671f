"""What the API answers to which request: a call, or an error in Twilio's form.

This is shared by the server and the adapter that works without one; only limits and time are the
server's own.
"""

import re
from base64 import b64decode
from dataclasses import dataclass
from functools import cached_property
from uuid import uuid4

import msgspec

from callkit.sandbox.calls import body_of
from callkit.sandbox.generator import CallGenerator

_CALL_PATH = re.compile(r"/2010-04-01/Accounts/([^/]+)/Calls/([^/]+)\.json")


@dataclass(frozen=True)
class Request:
    """A request: its path is decoded, its authorization the header as it was sent."""

    method: str
    path: str
    authorization: str = ""

    @cached_property
    def call(self) -> tuple[str, str] | None:
        """The account and the call in the path, if it is the path of a call."""
        match = _CALL_PATH.fullmatch(self.path)
        return None if match is None else (match[1], match[2])


@dataclass(frozen=True)
class Answer:
    """A status, a body and the headers that are particular to them."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    content_type: str = "application/json"

    def all_headers(self, in_flight: int = 1, seconds: float = 0.0) -> list[tuple[str, str]]:
        """List the headers, those that Twilio adds to every answer included."""
        return [
            ("content-type", self.content_type),
            ("twilio-request-id", f"RQ{uuid4().hex}"),
            ("twilio-concurrent-requests", str(in_flight)),
            ("twilio-request-duration", f"{seconds:.3f}"),
            *self.headers,
        ]


class Api:
    """The API over the calls of a generator."""

    def __init__(self, generator: CallGenerator) -> None:
        self.generator = generator
        signed = generator.credentials
        pairs = ((signed.account_sid, signed.auth_token), (signed.api_key, signed.api_secret))
        self._sign_ins = frozenset(f"{user}:{password}".encode() for user, password in pairs)

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        return self.refusal(request) or self.look_up(request)

    def refusal(self, request: Request) -> Answer | None:
        """Answer a request that is refused before anything is looked up, and no other."""
        if request.call is None:
            return not_found(request.path)
        if _signed_in_as(request.authorization) not in self._sign_ins:
            return unauthorized()
        if request.method != "GET":
            return _method_not_allowed(request)
        return None

    def look_up(self, request: Request) -> Answer:
        """Answer a request that is not refused."""
        account_sid, sid = request.call or ("", "")
        index = self.generator.index_of(sid)
        # A call is found under its own account alone, but the parent may name its subaccount.
        if index is None or self.generator.account_of(index).sid != account_sid:
            return not_found(request.path)
        return Answer(200, body_of(self.generator.call(index)))


def unauthorized() -> Answer:
    """401: no credentials, or wrong ones."""
    return error(401, 20003, "Authenticate", ("www-authenticate", 'Basic realm="Twilio API"'))


def not_found(path: str) -> Answer:
    """404: nothing under that path for these credentials."""
    return error(404, 20404, f"The requested resource {path} was not found")


def _method_not_allowed(request: Request) -> Answer:
    message = f"The requested resource {request.path} does not support the method {request.method}"
    return error(405, 20004, message, ("allow", "GET"))


def too_many(retry_after: int | None) -> Answer:
    """429: more requests in flight than the limit; the request was not processed."""
    advice = () if retry_after is None else (("retry-after", str(retry_after)),)
    return error(429, 20429, "Too Many Requests", *advice)


def error(status: int, code: int, message: str, *headers: tuple[str, str]) -> Answer:
    """Make an error of Twilio's form."""
    body = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return Answer(status, msgspec.json.encode(body), headers)


def _signed_in_as(authorization: str) -> bytes | None:
    scheme, _, encoded = authorization.partition(" ")
    try:
        return b64decode(encoded, validate=True) if scheme.lower() == "basic" else None
    except ValueError:  # neither base64 nor, for that matter, ASCII
        return None
