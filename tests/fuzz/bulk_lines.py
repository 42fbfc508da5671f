"""Files of Bulk Export: damaged lines, damaged gzip, and JSON of absurd depth."""

from __future__ import annotations

import gzip
import json
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callkit.bulk import BulkExport
from callkit.bulk.run import BulkExportRun
from callkit.errors import NormaliseError
from callkit.schema import SCHEMA
from tests.bulk.records import bodies, record_of
from tests.fuzz.bodies import WORDS
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

__all__ = ["BulkLines"]

_DEEP = [b'{"sid":' * 20_000, b"[" * 20_000, b'{"a":' + b"[" * 900 + b"]" * 900 + b"}"]
_WORDS = [
    *(b"\r\n", b"\n\n", b"\x1f\x8b", b"\x1f\x8b\x08\x00", b"PAR1", b"PK\x03\x04", b"\x00" * 100),
    *(b'"0000-01-01T00:00:00Z"', b'"10000-01-01T00:00:00Z"', b'"2025-02-30T00:00:00Z"'),
    *(b"24:00:00", b"23:59:60", b"+99:99", b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14"),
    *_DEEP,
    *WORDS,
]
_NAMES = ("calls.json", "calls.jsonl", "calls.json.gz", "calls.gz", "calls")


class BulkLines:
    """Files of three records, plain or compressed, with damage before or after compressing."""

    at_once = 20

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callkit-"))
        self._records = [record_of(body) for body in bodies(300)]

    def make(self, rng: random.Random) -> tuple[str, bytes]:
        text = b"\n".join(rng.sample(self._records, 3))
        text = damaged(rng, text, _WORDS)
        if rng.random() < 0.1:
            text += b"\n" + rng.choice(_DEEP)
        if rng.random() < 0.3:
            text = gzip.compress(text, 1)
            if rng.random() < 0.5:
                text = damaged(rng, text, _WORDS)
            elif rng.random() < 0.1:
                text = gzip.compress(text, 1)
        return rng.choice(_NAMES), text

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        return [self._outcome(*each) for each in inputs]

    def _outcome(self, name: str, octets: bytes) -> str:
        path = self._folder / name
        path.write_bytes(octets)
        run = BulkExportRun(BulkExport(path), progress=False)
        rows: list[dict[str, Any]] = []
        try:
            for table in run.tables():
                assert table.schema.equals(SCHEMA)
                rows += table.to_pylist()
        except NormaliseError as error:
            return check_sentence(error)
        finally:
            path.unlink()
        run.failures_frame()
        for failure in run.failures:
            check_sentence(failure.message)
        self._check_rows(rows, octets)
        return "Failure bad_response" if run.failures else RESULT

    def _check_rows(self, rows: list[dict[str, Any]], octets: bytes) -> None:
        """See that each row is of a record that is in the file, if it is not compressed."""
        assert len({row["sid"] for row in rows}) == len(rows)
        if octets.startswith(b"\x1f\x8b"):
            return
        sids = set()
        for line in octets.split(b"\n"):
            try:
                sids.add(str(json.loads(line.decode("utf-8-sig"))["sid"]).lower())
            except (ValueError, KeyError, TypeError, RecursionError, zlib.error):
                continue
        assert {row["sid"].lower() for row in rows} <= sids
