"""Whether the process that writes to a folder is still alive: it holds a lock on the folder."""

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class FolderLock:
    """A lock that ends with its process; where folders cannot be locked, it is never ``held``."""

    def __init__(self, folder: Path) -> None:
        self.held = False
        self._number = os.open(folder, os.O_RDONLY) if sys.platform != "win32" else None

    def acquire(self, *, blocking: bool) -> bool:
        """Take the lock; return False if another process has it."""
        if sys.platform != "win32" and self._number is not None:
            try:
                fcntl.flock(self._number, fcntl.LOCK_EX | (0 if blocking else fcntl.LOCK_NB))
            except BlockingIOError:
                return False
            except OSError:  # this file system has none
                return True
            self.held = True
        return True

    def is_on(self, folder: Path) -> bool:
        """Whether the folder of this name is still the one that was locked."""
        if self._number is None:
            return folder.exists()
        try:
            return os.path.samestat(os.fstat(self._number), folder.stat())
        except FileNotFoundError:
            return False

    def close(self) -> None:
        number, self._number = self._number, None
        if number is not None:
            os.close(number)
