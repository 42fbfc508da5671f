"""Which request meets which fault, and what every SID has met so far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from callkit.sandbox.draws import Draws, Mix
from tests.support.faults import BURSTS, HARMLESS, LASTING, Faults

if TYPE_CHECKING:
    from tests.support.faults import Kind, OutageKind

__all__ = ["Entry", "Fate", "Met"]


class Met(NamedTuple):
    """A fault that a request meets, and the name that it is counted under."""

    kind: Kind
    counted_as: str


class Entry(NamedTuple):
    """What one SID has seen.

    How often it was asked for, how often it was served whole, and the faults that it met, in
    their order and under the names that they are counted by.
    """

    asked: int
    served: int
    met: tuple[str, ...]


@dataclass(slots=True)
class _Record:
    asked: int = 0
    served: int = 0
    met: list[str] = field(default_factory=list)
    drawn: int = 0
    in_a_row: int = 0


class _Until(NamedTuple):
    """A kind that everybody meets for a while."""

    kind: Kind
    end: float


@dataclass(slots=True)
class _Script:
    """A kind that one SID meets so often; None is for ever."""

    kind: Kind
    times: int | None


_NEVER = _Until("503", 0.0)


class Fate:
    """Decides for every request whether it meets a fault.

    Parameters
    ----------
    plan : Faults, optional
        What is drawn. Without a plan there are only the faults that somebody asks for.
    keep : bool
        Whether to keep an entry for every SID that is asked for; with a plan it is kept anyway.
    """

    def __init__(self, plan: Faults | None, *, keep: bool) -> None:
        self.plan = plan or Faults()
        self.faults: Counter[str] = Counter()
        self.strayed: Counter[str] = Counter()
        self.keeps = keep or plan is not None
        self._draws = bool(self.plan.share or self.plan.lasting)
        self._records: dict[str, _Record] = {}
        self._scripts: dict[str, list[_Script]] = {}
        self._requests = 0
        self._outage = _NEVER
        self._burst = _NEVER
        self._key = blake2b(
            str(self.plan.seed).encode(), person=b"callkit faults", digest_size=32
        ).digest()
        weights: dict[Kind, float] = dict(self.plan.weights.items())
        lasting: dict[Kind, float] = {
            kind: weight for kind, weight in weights.items() if kind in LASTING
        }
        self._kinds = Mix(weights) if weights else None
        self._lasting = Mix(lasting) if lasting else None

    def arrives(self, sid: str | None) -> Met | None:
        """Count a request in; the result is what it meets in an outage."""
        self._requests += 1
        if self.keeps and sid is not None:
            self._records.setdefault(_canonical(sid), _Record()).asked += 1
        planned = self.plan.outage
        if planned is not None and self._requests == planned.after:
            self.begin_outage(planned.seconds, planned.kind)
        if self._outage is not _NEVER and monotonic() < self._outage.end:
            return Met(self._outage.kind, "outage")
        return None

    def meets(self, sid: str) -> Met | None:
        """Say what a request meets that would otherwise be answered."""
        if self._scripts and (scripted := self._scripted(sid)):
            return Met(scripted, scripted)
        if not self._draws:
            return None
        if lasting := self.meant_to_fail(sid):
            return Met(lasting, lasting)
        if self._burst is not _NEVER and monotonic() < self._burst.end:
            return Met(self._burst.kind, "burst")
        kind = self._drawn(sid)
        if kind in BURSTS:
            self._burst = _Until(kind, monotonic() + self.plan.burst)
        return None if kind is None else Met(kind, kind)

    def meant_to_fail(self, sid: str) -> Kind | None:
        """Say which fault the call always meets, if it is one of the lasting ones."""
        draws = Draws(self._key, f"lasting {_canonical(sid)}".encode())
        if self._lasting is None or not draws.chance(self.plan.lasting):
            return None
        return draws.from_mix(self._lasting)

    def count(self, met: Met, sid: str | None) -> None:
        """Count a fault that is about to be done."""
        self.faults[met.counted_as] += 1
        if self.keeps and sid is not None:
            self._records[_canonical(sid)].met.append(met.counted_as)

    def served(self, sid: str) -> None:
        """Count a call that is about to be served whole."""
        if self.keeps:
            self._records[_canonical(sid)].served += 1

    def begin_outage(self, seconds: float, kind: OutageKind) -> None:
        """Refuse everything from now on, for so long."""
        self._outage = _Until(kind, monotonic() + seconds)

    def script(self, sid: str, kind: Kind, times: int | None) -> None:
        """Have a SID meet a kind next, after what was scripted for it before."""
        self._scripts.setdefault(_canonical(sid), []).append(_Script(kind, times))

    def entries(self) -> dict[str, Entry]:
        """Copy what each SID has seen."""
        records = list(self._records.items())
        return {sid: Entry(seen.asked, seen.served, tuple(seen.met)) for sid, seen in records}

    def asked(self, sid: str) -> int:
        """Say how often a SID was asked for."""
        record = self._records.get(_canonical(sid))
        return 0 if record is None else record.asked

    def _scripted(self, sid: str) -> Kind | None:
        scripts = self._scripts.get(_canonical(sid))
        if not scripts:
            return None
        script = scripts[0]
        if script.times is not None:
            script.times -= 1
            if script.times == 0:
                scripts.pop(0)
        return script.kind

    def _drawn(self, sid: str) -> Kind | None:
        record = self._records[_canonical(sid)]
        draws = Draws(self._key, f"{record.drawn} {_canonical(sid)}".encode())
        record.drawn += 1
        kind = None
        if self._kinds is not None and draws.chance(self.plan.share):
            kind = draws.from_mix(self._kinds)
        if kind in BURSTS:
            return kind
        spared = record.in_a_row >= self.plan.in_a_row or (kind == "401" and "401" in record.met)
        if kind is None or kind in HARMLESS or spared:
            record.in_a_row = 0
            return kind if kind in HARMLESS else None
        record.in_a_row += 1
        return kind


def _canonical(sid: str) -> str:
    """Write a SID in that of its forms by which faults and counts go; a URI has only one."""
    return sid if sid.startswith("/") else sid[:2] + sid[2:].lower()
