"""Files that are whole or not there at all."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import weakref
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["replaceable", "replacing", "set_aside"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and `path` itself to the file once it is complete.

    Whatever stood there before stays until then, and its mode stays beyond; if the block raises,
    the temporary file goes. A link goes on to lead where it led: what it leads to is replaced.

    Raises
    ------
    OSError
        The folder is missing or cannot be written to, or what is there is no regular file.
    """
    path = replaceable(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        mode = stat.S_IMODE((path if path.exists() else temporary).stat().st_mode)
        temporary.chmod(0o600)  # if this process is killed, it stays, and may name people
        yield temporary
        _flush(temporary)
        temporary.chmod(mode)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def set_aside(part: Path, holder: object) -> Path:
    """Keep an unfinished file or folder, under another hidden name, for as long as `holder` is."""
    kept = part.rename(part.with_name(f"{part.name}.interrupted"))
    weakref.finalize(holder, _remove, kept)
    return kept


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def replaceable(path: Path) -> Path:
    """Follow `path` to where a file would be written.

    Raises
    ------
    OSError
        What is there is no regular file, but a folder or a device, say.
    """
    if "\0" in str(path):
        raise OSError(errno.EINVAL, "A path cannot hold a NUL character", str(path))
    path = Path(os.path.realpath(path))
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path


def _flush(path: Path) -> None:
    """Have the bytes on disk before the name, so that a power cut leaves no hollow file."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
