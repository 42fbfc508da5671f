"""What callkit may open for writing: a regular file, or a name that nothing has yet."""

import errno
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFIFO: "a named pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link to a file that does not exist",
}


def check_regular_or_absent(path: Path) -> bool:
    """Return whether there is a file at `path`; raise an OSError if there is anything else.

    Links are followed. Nothing is opened, created or changed: opening a FIFO would wait for its
    other end, and changing the mode of a device changes it for the whole machine.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot contain a NUL character")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.is_symlink():
            return False
        mode = stat.S_IFLNK
    if stat.S_ISREG(mode):
        return True
    kind = _KINDS.get(stat.S_IFMT(mode), "something else")
    number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
    raise OSError(number, f"Expected a regular file, or none yet, but it is {kind}")
