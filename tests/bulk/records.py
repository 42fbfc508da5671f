"""Records as Twilio's Bulk Export writes them, and files of them."""

from __future__ import annotations

import gzip
import json
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from tests.normaliser.calls import CALL, numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

DATES = ("date_created", "date_updated", "start_time", "end_time")
NOT_THERE = ("uri", "subresource_uris")


def record_of(body: bytes) -> bytes:
    """Write a call as Bulk Export does: without URIs, its times in ISO 8601."""
    call = {name: value for name, value in json.loads(body).items() if name not in NOT_THERE}
    for name in DATES:
        if call.get(name):
            moment = parsedate_to_datetime(call[name]).astimezone(UTC)
            call[name] = f"{moment:%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps(call).encode()


def record(number: int, **attributes: Any) -> bytes:
    """Make the record of a call by its number."""
    call = json.loads(record_of(json.dumps(CALL).encode()))
    return json.dumps(call | {"sid": numbered(number)} | attributes).encode()


def bodies(calls: int) -> list[bytes]:
    """Make bodies of different calls, as the API sends them."""
    sandbox = Sandbox(calls=2 * calls, seed=5)
    return [body_of(sandbox.call(sid)) for sid in sandbox.sids(calls)]


def text(records: Iterable[bytes], end: bytes = b"\n") -> bytes:
    return b"".join(each + end for each in records)


def write(path: Path, records: Sequence[bytes]) -> Path:
    """Write a file, compressed if it is called so."""
    content = text(records)
    path.write_bytes(gzip.compress(content) if path.suffix.lower() == ".gz" else content)
    return path
