"""Files that are whole or not there at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`, and `path` itself to the file once it is complete.

    Whatever stood there before stays until then; if the block raises, the temporary file goes.

    Raises
    ------
    OSError
        The folder is missing or cannot be written to.
    """
    if path.is_dir():
        raise IsADirectoryError(21, "Is a directory", str(path))
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Have the bytes on disk before the name, so that a power cut leaves no hollow file."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
