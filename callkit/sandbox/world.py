"""The sandbox's calls: from an index to its SID, account and call, and back."""

from __future__ import annotations

import re
from hashlib import blake2b
from itertools import count
from typing import TYPE_CHECKING

from callkit.sandbox.accounts import make_accounts, make_credentials
from callkit.sandbox.draws import Draws
from callkit.sandbox.legs import dialled_leg, parent_leg, single_leg
from callkit.sandbox.permutation import Permutation
from callkit.sandbox.records import record_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from callkit.sandbox.accounts import Account
    from callkit.sandbox.calls import Call

__all__ = ["World"]

_CALL_SID = re.compile(r"CA([0-9a-fA-F]{32})")
_INDEX_BYTES = 16
# Calls come in pairs, and every fifth pair is the subaccount's.
_PERIOD = 10
_PARENTS = 8
# The share of pairs that are a call and the leg that it dialled; the others are two calls.
_FAMILIES = 0.32


class World:
    """All calls that a seed stands for, each made when it is asked for.

    Parameters
    ----------
    calls : int
        How many there are, over both accounts: those of index 0 up to, but without, `calls`.
    seed : int
        What they are made from.

    Examples
    --------
    >>> world = World(calls=10, seed=7)
    >>> world.index_of(world.sid_of(3))
    3
    >>> world.index_of(world.sid_of(10)) is None
    True
    """

    def __init__(self, *, calls: int, seed: int) -> None:
        self.calls = calls
        self._key = blake2b(str(seed).encode(), person=b"callkit sandbox", digest_size=32).digest()
        self._permutation = Permutation(self._key)
        self.parent, self.subaccount = make_accounts(self._key)
        self.credentials = make_credentials(self._key, self.parent.sid)

    def sid_of(self, index: int) -> str:
        """Write the SID that stands for `index`, whether or not there is such a call."""
        return f"CA{self._permutation.image(index):032x}"

    def index_of(self, sid: str) -> int | None:
        """Find the index of the call `sid`: None if it is malformed or unknown."""
        match = _CALL_SID.fullmatch(sid)
        if match is None:
            return None
        index = self._permutation.origin(int(match[1], 16))
        return index if index < self.calls else None

    def account_of(self, index: int) -> Account:
        """Say whose call that of `index` is."""
        return self.parent if index % _PERIOD < _PARENTS else self.subaccount

    def indices_of_parent(self) -> Iterator[int]:
        """Count through the indices of the parent account's calls, in order."""
        return (index for index in range(self.calls) if index % _PERIOD < _PARENTS)

    def call(self, index: int) -> Call:
        """Make the call of `index`."""
        account = self.account_of(index)
        draws = self._draws(b"call", index)
        parent_sid = None
        if not self._is_family(index // 2):
            leg = single_leg(draws, account)
        elif index % 2 == 0:
            leg = parent_leg(draws, account)
        else:
            parent = parent_leg(self._draws(b"call", index - 1), account)
            parent_sid = self.sid_of(index - 1)
            leg = dialled_leg(draws, account, parent)
        sid = self.sid_of(index)
        return record_of(leg, sid=sid, parent_sid=parent_sid, account=account, draws=draws)

    def neighbour(self, sid: str) -> Call:
        """Make a call that is not `sid`, though of the same account if `sid` is a call."""
        index = self.index_of(sid) or 0
        return self.call(index - _PERIOD if index >= _PERIOD else index + _PERIOD)

    def unknown_sids(self) -> Iterator[str]:
        """Write SIDs of no call, without end."""
        return map(self.sid_of, count(self.calls))

    def _is_family(self, pair: int) -> bool:
        return self._draws(b"pair", pair).chance(_FAMILIES)

    def _draws(self, purpose: bytes, index: int) -> Draws:
        return Draws(self._key, purpose + index.to_bytes(_INDEX_BYTES, "big"))
