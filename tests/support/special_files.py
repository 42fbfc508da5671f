"""Paths at which no file can be: devices, FIFOs, sockets, links to nothing."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    Make: TypeAlias = Callable[[Path], object]


def null_device(path: Path) -> None:
    """Make a copy of /dev/null, which only root may."""
    if not hasattr(os, "mknod") or os.geteuid() != 0:
        pytest.skip("only root may make a device")
    try:
        os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("this machine lets nobody make a device")
    path.chmod(0o666)


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o644)


def socket_file(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        folder = os.open(path.parent, os.O_RDONLY)
        try:  # the name of a socket must be short
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


def directory(path: Path) -> None:
    path.mkdir(mode=0o755)


def link_to_nothing(path: Path) -> None:
    path.symlink_to("nothing")


def link_to_device(path: Path) -> None:
    null_device(path.with_name("null"))
    path.symlink_to("null")


SPECIAL: dict[str, tuple[Make, str]] = {
    "device": (null_device, "a device"),
    "FIFO": (fifo, "a named pipe"),
    "socket": (socket_file, "a socket"),
    "directory": (directory, "a directory"),
    "link to nothing": (link_to_nothing, "a symbolic link to a file that does not exist"),
    "link to a device": (link_to_device, "a device"),
}

each_special_file = pytest.mark.parametrize(("make", "kind"), SPECIAL.values(), ids=SPECIAL)


def traces_of_use(path: Path) -> dict[str, tuple[int, ...]]:
    """Return what any use would change: names, kinds, modes and times beside and at `path`."""

    def seen(each: Path) -> tuple[int, ...]:
        found = each.lstat()
        read = 0 if each.is_symlink() else found.st_atime_ns  # following a link is no use of it
        return found.st_mode, found.st_ino, read, found.st_mtime_ns, found.st_ctime_ns

    return {each.name: seen(each) for each in path.parent.iterdir()}
