"""A disk that is full, for this process: no file may grow beyond a size."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Iterator

on_posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Have writing beyond `size` bytes of any file fail."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
