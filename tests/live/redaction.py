"""Bodies of real calls without anything personal, in the form in which the API sent them.

Only values that cannot name anybody are kept as they are; whatever an unknown attribute holds is
replaced too. Under one `Redaction` the same value is always replaced by the same one.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from callkit.addresses import channel_of, is_withheld

KEPT = {
    *("status", "direction", "answered_by", "duration", "price", "price_unit", "queue_time"),
    "api_version",
}
TIMES = {"start_time", "end_time", "date_created", "date_updated"}
PARTIES = {"from", "to", "forwarded_from", "from_formatted", "to_formatted"}
URIS = {"uri", "subresource_uris"}

_SID = re.compile(r"\b([A-Z]{2})([0-9a-fA-F]{32})\b")
_SCHEME = re.compile(r"^(client|sip|sips|sim|whatsapp|tel):", re.IGNORECASE)


class Redaction:
    """Replaces personal values by made-up ones of the same form."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        # Whole weeks, so that the weekday in a date stays right.
        self._shift = timedelta(weeks=52 + secrets.randbelow(52))

    def of(self, body: bytes) -> bytes:
        """Redact one call."""
        call = {name: self._value(name, value) for name, value in json.loads(body).items()}
        return json.dumps(call, ensure_ascii=False).encode()

    def _value(self, name: str, value: Any) -> Any:
        if value in (None, "") or name in KEPT:
            return value
        if isinstance(value, dict):
            return {key: self._value(name, each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._value(name, each) for each in value]
        return self._text(name, str(value))

    def _text(self, name: str, text: str) -> str:
        if name in TIMES:
            return self._earlier(text)
        if name in PARTIES:
            return self._party(text)
        if name in URIS or _SID.fullmatch(text):
            return _SID.sub(lambda sid: sid[1] + self._digest(sid[0])[:32], text)
        return _letters(text)

    def _earlier(self, text: str) -> str:
        moment: datetime = parsedate_to_datetime(text) - self._shift
        return format_datetime(moment)

    def _party(self, text: str) -> str:
        if is_withheld(text):
            return text
        scheme = _SCHEME.match(text)
        if scheme is not None:
            return scheme[0] + _letters(text[scheme.end() :])
        if channel_of(text) != "pstn" and not re.search("[0-9]{3}", text):
            return _letters(text)
        last_digits = re.sub("[^0-9]", "", text)[-7:]  # the same in both ways to write a number
        subscriber = int(self._digest(last_digits), 16) % 10_000
        # +1 500 555 is the range of Twilio's own test numbers.
        return f"+1500555{subscriber:04}" if text[0] == "+" else f"(500) 555-{subscriber:04}"

    def _digest(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()


def _letters(text: str) -> str:
    """Replace letters by x and digits by 0."""
    return "".join(
        "X" if char.isupper() else "x" if char.isalpha() else "0" if char.isdigit() else char
        for char in text
    )
