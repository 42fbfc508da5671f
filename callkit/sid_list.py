"""Reading a SID list during a run, as fast as its calls are fetched."""

import time
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from callkit.interrupts import Interrupts
from callkit.sids import CallKey

if TYPE_CHECKING:  # its package reads lists with this
    from callkit.fetch.pool import Pool

_READ_AT_ONCE = 4_000  # calls
_READ_FOR = 0.5  # seconds, from a list that is slow


class SidList:
    """Reads a SID list, without ever waiting for it while calls it has named could be fetched.

    It ends at the first entry that is not a SID, or where a generator raises: ``error`` says why,
    and calls before it are fetched all the same.
    """

    def __init__(self, keys: list[CallKey] | Iterator[CallKey]) -> None:
        self.total = len(keys) if isinstance(keys, list) else None
        self.exhausted = self.total == 0
        self.error: Exception | None = None
        # How many of the calls read last a cache does not have. Where it has them all, nothing
        # waits for a generator, and it is read more at a time.
        self.missing = 1
        self._keys = iter(keys)
        self._unwatched = 1 if self.total is None else _READ_AT_ONCE

    def read(self, most: int, pool: "Pool | None", interrupts: Interrupts) -> list[CallKey]:
        """Read up to `most` calls; of a generator fewer, where `pool` has nothing else to fetch.

        An interrupt is raised within the generator, so that it ends what it is waiting for.
        """
        keys: list[CallKey] = []
        most = min(most, _READ_AT_ONCE)
        until = time.monotonic() + _READ_FOR
        if self.total is None and most:
            self._unwatched = 1 if self.missing else min(2 * self._unwatched, _READ_AT_ONCE)
        interrupts.at_once = True
        try:
            for key in islice(self._keys, most):
                keys.append(key)
                if len(keys) >= self._unwatched and (
                    pool is None or pool.is_hungry or time.monotonic() > until
                ):
                    break
            else:
                self.exhausted = len(keys) < most
        except Exception as error:  # noqa: BLE001  (raised when what was read has been fetched)
            self.error, self.exhausted = error, True
        except KeyboardInterrupt:
            if not interrupts.heard:  # somebody else's handler raised it
                raise
        finally:
            interrupts.at_once = False
        return keys
