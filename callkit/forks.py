"""What a forked process must not share with the process it was forked from.

A connection, a lock that another thread held, a temporary file: both would use the same one, and
neither knows of the other. Where processes are not forked (Windows), nothing here does anything.
"""

import os
from typing import IO, Any, Protocol, TypeVar
from weakref import WeakSet

File = TypeVar("File", bound=IO[Any])


class Shared(Protocol):
    def renew_in_child(self) -> None:
        """Let go of what belongs to the parent, without closing, sending or waiting for anything.

        Called in the child, in which no other thread exists.
        """


_shared: WeakSet[Shared] = WeakSet()
_files: WeakSet[IO[Any]] = WeakSet()


def renewed_in_children(each: Shared) -> None:
    """Have `each` renewed in every process that is forked while it exists."""
    _shared.add(each)


def written_here_alone(file: File) -> File:
    """Have whatever a forked process does to an open file go nowhere.

    It has the file's place in common with its parent, and a copy of what is not written yet, which
    it would write when it ends.
    """
    _files.add(file)
    return file


def _renew_all() -> None:
    for each in list(_shared):
        each.renew_in_child()
    for file in list(_files):
        if not file.closed:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, file.fileno())
            os.close(nowhere)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
