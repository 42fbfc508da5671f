"""Cache files with bits flipped and pages cut off."""

from __future__ import annotations

import sqlite3
import tempfile
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import callkit
from callkit import Fetched
from callkit.cache.store import Cache
from callkit.errors import CacheError, CacheWarning
from callkit.normaliser import to_table
from callkit.sandbox import Sandbox
from callkit.sandbox.calls import body_of
from callkit.sids import CallKey
from tests.fuzz.damage import damaged
from tests.fuzz.kinds import RESULT, check_sentence

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

__all__ = ["CacheFiles"]

_ACCOUNT = "AC" + "a" * 32
_NOW = datetime(2025, 4, 1, tzinfo=UTC)
_DAY = date(2025, 1, 1)
_WORDS = [
    b"SQLite format 3\x00",
    b"call",
    b"\x00" * 16,
    b"\xff" * 8,
    b"\x81" * 9,
    b"settled",
    b"complete_days",
    b"NULL",
]
# With the values that another program, or a damaged page, may leave in the columns.
_ODD_ROWS = [
    (None, _ACCOUNT, b"", None, 0, None, 1, None),
    ("sid", _ACCOUNT, "text", 1, "yesterday", 0.5, "no", "noon"),
    ("sid", _ACCOUNT, b"no zlib", b"\xff", 2**62, b"\xff", 1, 2**62),
    ("sid", "x", 7, None, -(2**63), "1e9", 0, -(2**63)),
    (b"\xff", _ACCOUNT, b"", None, 1.5, None, 1, 1.5),
    ("sid", _ACCOUNT, b"x\x9c\x03\x00\x00\x00\x00\x01", None, 0, "NaN", 1, b"\xff"),
]


class CacheFiles:
    """Caches of forty calls, damaged: looked up, read, written to, pruned."""

    at_once = 5

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="callkit-"))
        sandbox = Sandbox(calls=1_000, seed=17)
        self._sids = sandbox.sids(40)
        self._bodies = [body_of(sandbox.call(sid)) for sid in self._sids]
        self._actions = {
            "use": self._use,
            "info": callkit.cache.info,
            "prune": lambda path: callkit.cache.prune(path, _NOW - _NOW.replace(year=2024)),
            "erase": lambda path: callkit.cache.erase(path, ["+442079460000"]),
        }
        self._sample = self._made()

    def make(self, rng: random.Random) -> tuple[str, bytes, tuple[object, ...] | None]:
        action = rng.choice(["use", "use", "use", "info", "prune", "erase"])
        if rng.random() < 0.2:
            return action, self._sample, rng.choice(_ODD_ROWS)
        if rng.random() < 0.3:
            return action, damaged(rng, self._sample[:200], _WORDS) + self._sample[200:], None
        return action, damaged(rng, self._sample, _WORDS), None

    def outcomes(self, inputs: Sequence[Any]) -> list[str]:
        return [self._outcome(*each) for each in inputs]

    def _outcome(self, action: str, octets: bytes, row: tuple[object, ...] | None) -> str:
        path = self._folder / "calls.sqlite"
        for old in self._folder.iterdir():
            old.unlink()
        path.write_bytes(octets)
        if row is not None:
            self._put(path, row)
        act: Callable[[Path], object] = self._actions[action]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=CacheWarning)
            try:
                act(path)
            except CacheError as error:
                return check_sentence(error)
        return RESULT

    def _use(self, path: Path) -> None:
        with Cache(path) as cache:
            for refresh in (None, "unpriced", _NOW):
                for batch in cache.look_up([CallKey(sid, None) for sid in self._sids], refresh):
                    assert all(isinstance(call.body, bytes) for call in batch)
            self._store(cache)
            for day in cache.complete_days(_ACCOUNT, [_DAY]):
                assert all(cache.listed(_ACCOUNT, day))
            cache.mark_complete(_ACCOUNT, _DAY)

    def _fetched(self) -> list[Fetched]:
        calls = zip(self._sids, self._bodies, strict=True)
        return [Fetched(sid, _ACCOUNT, body, "RQ1", _NOW, 1) for sid, body in calls]

    def _store(self, cache: Cache) -> None:
        """Store the calls, unpriced and final."""
        moment = "Wed, 01 Jan 2025 00:00:00 +0000"
        ended = {"status": "busy", "start_time": moment, "end_time": moment}
        table, _ = to_table([{"sid": sid, **ended} for sid in self._sids])
        cache.store(self._fetched(), table)

    def _made(self) -> bytes:
        path = self._folder / "sample.sqlite"
        with Cache(path) as cache:
            self._store(cache)
            cache.mark_complete(_ACCOUNT, _DAY)
        return path.read_bytes()

    def _put(self, path: Path, row: tuple[object, ...]) -> None:
        sid = self._sids[0] if row[0] == "sid" else row[0]
        db = sqlite3.connect(path)
        with db:
            db.execute(
                "INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (sid, *row[1:])
            )
        db.close()
