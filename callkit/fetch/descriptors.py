"""How many connections this process can open beside its files."""

import errno
import os
import sys

if sys.platform != "win32":
    import resource

# For the cache, the files that are written, one for each month, and the look-up of names.
_KEPT_FREE = 16

TOO_MANY_OPEN_FILES = f"OSError: {os.strerror(errno.EMFILE)}"


def room_for_connections() -> int:
    """Count the connections for which there are file descriptors; there is always one."""
    if sys.platform != "win32":
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        try:
            in_use = len(os.listdir("/dev/fd"))  # noqa: PTH208  (names suffice)
        except OSError:
            return 1 if none_is_left() else sys.maxsize  # there is no such folder
        if limit != resource.RLIM_INFINITY:
            return max(1, limit - in_use - _KEPT_FREE)
    return sys.maxsize


def none_is_left() -> bool:
    """Say whether no file can be opened: the look-up of a name does not say that it needs one."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return True
    return False
