"""What a forked process must not share with the process it was forked from.

A connection, a lock that another thread held, a temporary file: both would use the same one, and
neither knows of the other. Where processes are not forked (Windows), nothing here does anything.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Shared(Protocol):
    def renew_in_child(self) -> None:
        """Let go of what belongs to the parent, without closing, sending or waiting for anything.

        Called in the child, in which no other thread exists.
        """


_shared: WeakSet[Shared] = WeakSet()


def renewed_in_children(each: Shared) -> None:
    """Have `each` renewed in every process that is forked while it exists."""
    _shared.add(each)


def _renew_all() -> None:
    for each in list(_shared):
        each.renew_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
